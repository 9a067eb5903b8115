#include "cli/language_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "infer/template_audit.h"

namespace quern::cli {

namespace {

std::vector<std::string> names_of(const infer::Language& language, const std::vector<int32_t>& ids) {
  std::vector<std::string> names;
  for (const int32_t id : ids)
    names.push_back(fmt::format("{} ({})", language.tokenizer.id_to_token(id).value_or("?"), id));
  return names;
}

// How answers are searched for where the command line says nothing: "beams 4, length_penalty 2"; "" where the files do not
// tell.
std::string search_of(const infer::SamplingDefaults& defaults) {
  std::string text;
  const auto add = [&](std::string_view name, const auto& value) {
    if (value) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, *value);
  };
  add("beams", defaults.beams);
  add("length_penalty", defaults.length_penalty);
  add("early_stopping", defaults.early_stopping);
  add("no_repeat_ngram", defaults.no_repeat_ngram);
  add("min_tokens", defaults.min_tokens);
  add("max_tokens", defaults.max_tokens);
  return text;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> LanguageReport::rows() const {
  if (!language_.ok()) {
    const bool none = language_.error().code == ErrorCode::not_found;
    return {{"tokenizer", none ? "none" : "cannot be read: " + language_.error().message}};
  }
  const infer::Language& language = *language_;
  const std::vector<std::string> templates = language.templates.names();
  std::vector<std::pair<std::string, std::string>> rows{
      {"tokenizer",
       fmt::format("{}, {} tokens", language.tokenizer.model_type(), language.tokenizer.vocab_size())},
      {"chat template", templates.empty() ? "none" : fmt::format("{}", fmt::join(templates, ", "))},
      {"end tokens", fmt::format("{}", fmt::join(names_of(language, language.end_tokens), ", "))}};
  if (std::string search = search_of(language.sampling); !search.empty())
    rows.emplace_back("search", std::move(search));
  return rows;
}

std::string LanguageReport::findings() const {
  std::string text;
  if (!language_.ok()) return text;
  for (const infer::Finding& finding : infer::audit_template(*language_)) {
    text += fmt::format("{}: {}\n", finding.is_mistake() ? "warning" : "note", finding.message);
  }
  return text;
}

nlohmann::ordered_json LanguageReport::to_json() const {
  if (!language_.ok()) return nullptr;
  nlohmann::ordered_json findings = nlohmann::ordered_json::array();
  for (const infer::Finding& finding : infer::audit_template(*language_)) {
    findings.push_back({{"kind", infer::name_of(finding.kind)},
                        {"mistake", finding.is_mistake()},
                        {"message", finding.message}});
  }
  return {{"type", language_->tokenizer.model_type()},
          {"tokens", language_->tokenizer.vocab_size()},
          {"chat_templates", language_->templates.names()},
          {"end_tokens", language_->end_tokens},
          {"findings", findings}};
}

}  // namespace quern::cli
