// The heads of encoders and of reward models in config.json: part of ConfigReader.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/families/config_reader.h"

namespace quern::model {

namespace {

using Json = nlohmann::json;

// The first of several for one head is written.
constexpr std::array<std::pair<std::string_view, Head>, 6> kClasses{{
    {"Model", Head::none},
    {"ForMaskedLM", Head::masked_lm},
    {"ForSequenceClassification", Head::sequence_classification},
    {"ForTokenClassification", Head::token_classification},
    {"ForQuestionAnswering", Head::question_answering},
    {"ForPreTraining", Head::discriminator},
}};

constexpr std::array<std::pair<std::string_view, Problem>, 3> kProblems{{
    {"single_label_classification", Problem::single_label},
    {"multi_label_classification", Problem::multi_label},
    {"regression", Problem::regression},
}};

constexpr int64_t kMaxLabels = int64_t{1} << 20;

bool has_labels(Head head) {
  return head == Head::sequence_classification || head == Head::token_classification;
}

}  // namespace

std::string_view class_suffix(Head head) {
  return std::ranges::find(kClasses, head, [](const auto& row) { return row.second; })->first;
}

// id2label, which need not be in order, or LABEL_0 and so on.
std::vector<std::string> ConfigReader::labels() {
  const Json* names = find("id2label");
  const int64_t count = names ? static_cast<int64_t>(names->size()) : integer("num_labels", 2);
  if (count < 1 || count > kMaxLabels) {
    wrong(names ? "id2label" : "num_labels", fmt::format("1 to {} labels", kMaxLabels));
    return {};
  }
  std::vector<std::string> result;
  for (int64_t i = 0; i < count; ++i) {
    if (!names) {
      result.push_back(fmt::format("LABEL_{}", i));
      continue;
    }
    const auto found = names->is_object() ? names->find(std::to_string(i)) : names->end();
    if (found == names->end() || !found->is_string()) {
      wrong("id2label", fmt::format("an object with a text under each of \"0\" to \"{}\"", count - 1));
      return {};
    }
    result.push_back(found->get<std::string>());
  }
  return result;
}

void ConfigReader::head(std::string_view stem, ModelConfig& config) {
  const Json* classes = find("architectures");
  if (classes && (!classes->is_array() || classes->size() != 1 || !classes->front().is_string())) {
    wrong("architectures", "a list of one class");
    return;
  }
  config.head = Head::none;
  if (classes) {
    const std::string name = classes->front().get<std::string>();
    const auto known = std::ranges::find_if(
        kClasses, [&](const auto& row) { return name == fmt::format("{}{}", stem, row.first); });
    if (known == kClasses.end()) {
      std::string list;
      for (const auto& row : kClasses)
        list += fmt::format("{}{}{}", list.empty() ? "" : ", ", stem, row.first);
      wrong("architectures", "one of " + list);
      return;
    }
    config.head = known->second;
  }
  outputs(config);
}

void ConfigReader::score(ModelConfig& config) {
  const Json* classes = find("architectures");
  if (!classes || !classes->is_array() || classes->size() != 1 || !classes->front().is_string()) return;
  if (!classes->front().get<std::string>().ends_with(class_suffix(Head::sequence_classification))) return;
  config.head = Head::sequence_classification;
  outputs(config);
}

// The labels of a head, and what its outputs mean.
void ConfigReader::outputs(ModelConfig& config) {
  if (!has_labels(config.head)) return;
  config.labels = labels();
  if (config.head != Head::sequence_classification) return;
  // transformers decides by the number of labels where nothing is said.
  const std::string said =
      text("problem_type", config.labels.size() == 1 ? "regression" : "single_label_classification");
  const auto problem = std::ranges::find(kProblems, said, [](const auto& row) { return row.first; });
  if (problem == kProblems.end())
    wrong("problem_type", "single_label_classification | multi_label_classification | regression");
  else
    config.problem = problem->second;
}

void write_head(const ModelConfig& config, nlohmann::ordered_json& json) {
  if (!has_labels(config.head)) return;
  auto by_id = nlohmann::ordered_json::object(), by_label = nlohmann::ordered_json::object();
  for (size_t i = 0; i < config.labels.size(); ++i) {
    by_id[std::to_string(i)] = config.labels[i];
    by_label[config.labels[i]] = i;
  }
  json["id2label"] = std::move(by_id);
  json["label2id"] = std::move(by_label);
  if (config.head != Head::sequence_classification) return;
  const auto problem =
      std::ranges::find(kProblems, config.problem, [](const auto& row) { return row.second; });
  json["problem_type"] = problem->first;
}

}  // namespace quern::model
