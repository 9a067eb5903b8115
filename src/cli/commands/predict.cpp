// quern predict
#include "infer/predict.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/interrupt.h"
#include "cli/reward_texts.h"
#include "store/store.h"

namespace quern::cli {

namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string model;
  TextInputs inputs;
  DType dtype = DType::f32;
  bool truncate = false, pair = false;
  int64_t top = 0;  // 0: as suits the head
  std::string question, context, context_file;
  infer::AnswerOptions answers;

  infer::TooLong too_long() const { return truncate ? infer::TooLong::truncate : infer::TooLong::refuse; }
};

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// What is printed about one text: a line of JSON, or lines for people.
struct Report {
  Json json;
  std::string text;
};

// Of several texts each is named before what is said about it.
void print(const std::vector<std::string>& texts, const std::vector<Report>& reports,
           const Context& context) {
  for (size_t i = 0; i < reports.size(); ++i) {
    if (context.json)
      context.print(dump(reports[i].json));
    else
      context.print((reports.size() > 1 ? fmt::format("{}{}\n", i > 0 ? "\n" : "", texts[i]) : "") +
                    reports[i].text);
  }
}

Result<void> fill_masks(const Arguments& arguments, const infer::EncoderSession& session, Context& context) {
  QUERN_TRY(const std::vector<std::string> texts, arguments.inputs.read());
  QUERN_TRY(const auto found, infer::fill_masks(session, texts, arguments.top > 0 ? arguments.top : 5,
                                                arguments.too_long(), *context.progress));
  std::vector<Report> reports;
  for (size_t i = 0; i < texts.size(); ++i) {
    Report report{{{"text", texts[i]}, {"masks", Json::array()}}, ""};
    for (size_t mask = 0; mask < found[i].size(); ++mask) {
      Json candidates = Json::array();
      if (found[i].size() > 1) report.text += fmt::format("mask {}\n", mask + 1);
      for (const infer::Candidate& one : found[i][mask]) {
        candidates.push_back({{"token", one.token}, {"text", one.text}, {"probability", one.probability}});
        report.text += fmt::format("{:.4f}  {}\n", one.probability, one.text);
      }
      report.json["masks"].push_back(std::move(candidates));
    }
    reports.push_back(std::move(report));
  }
  print(texts, reports, context);
  return {};
}

Result<std::vector<infer::TextOrPair>> split_pairs(const std::vector<std::string>& texts) {
  std::vector<infer::TextOrPair> pairs;
  for (const std::string& text : texts) {
    const size_t tab = text.find('\t');
    if (tab == text.npos) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("--pair expects two texts, got \"{}\"", text), "separate them by a tab");
    }
    pairs.push_back({text.substr(0, tab), text.substr(tab + 1)});
  }
  return pairs;
}

Result<void> classify(const Arguments& arguments, const infer::EncoderSession& session, Context& context) {
  QUERN_TRY(const std::vector<std::string> texts, arguments.inputs.read());
  std::vector<infer::TextOrPair> inputs;
  if (arguments.pair) {
    QUERN_TRY(inputs, split_pairs(texts));
  } else {
    for (const std::string& text : texts) inputs.push_back({text});
  }
  QUERN_TRY(const auto found, infer::classify(session, inputs, arguments.too_long(), *context.progress));
  std::vector<Report> reports;
  for (size_t i = 0; i < texts.size(); ++i) {
    Report report{{{"text", texts[i]}, {"labels", Json::array()}}, ""};
    for (size_t rank = 0; rank < found[i].size(); ++rank) {
      if (arguments.top > 0 && static_cast<int64_t>(rank) == arguments.top) break;
      const auto& [label, score] = found[i][rank];
      report.json["labels"].push_back({{"label", label}, {"score", score}});
      report.text += fmt::format("{:.4f}  {}\n", score, label);
    }
    reports.push_back(std::move(report));
  }
  print(texts, reports, context);
  return {};
}

Result<void> label_spans(const Arguments& arguments, const infer::EncoderSession& session, Context& context) {
  QUERN_TRY(const std::vector<std::string> texts, arguments.inputs.read());
  QUERN_TRY(const auto found, infer::label_spans(session, texts, arguments.too_long(), *context.progress));
  std::vector<Report> reports;
  for (size_t i = 0; i < texts.size(); ++i) {
    Report report{{{"text", texts[i]}, {"spans", Json::array()}}, ""};
    for (const auto& [label, score, span, text] : found[i]) {
      report.json["spans"].push_back(
          {{"label", label}, {"score", score}, {"begin", span.begin}, {"end", span.end}, {"text", text}});
      report.text += fmt::format("{:.4f}  {:<8} {:>5}-{:<5} {}\n", score, label, span.begin, span.end, text);
    }
    if (found[i].empty()) report.text = "nothing found\n";
    reports.push_back(std::move(report));
  }
  print(texts, reports, context);
  return {};
}

Result<void> detect_replaced(const Arguments& arguments, const infer::EncoderSession& session,
                             Context& context) {
  QUERN_TRY(const std::vector<std::string> texts, arguments.inputs.read());
  QUERN_TRY(const auto found,
            infer::detect_replaced(session, texts, arguments.too_long(), *context.progress));
  std::vector<Report> reports;
  for (size_t i = 0; i < texts.size(); ++i) {
    Report report{{{"text", texts[i]}, {"replaced", Json::array()}}, ""};
    for (const auto& [text, span, probability] : found[i]) {
      report.json["replaced"].push_back(
          {{"text", text}, {"begin", span.begin}, {"end", span.end}, {"probability", probability}});
      report.text += fmt::format("{:.4f}  {}\n", probability, text);
    }
    reports.push_back(std::move(report));
  }
  print(texts, reports, context);
  return {};
}

Result<void> answer(const Arguments& arguments, const infer::EncoderSession& session, Context& context) {
  std::string passage = arguments.context;
  if (!arguments.context_file.empty()) {
    QUERN_TRY(passage, read_file(arguments.context_file == "-" ? "/dev/stdin" : arguments.context_file));
  }
  if (arguments.question.empty() || passage.empty()) {
    return make_error(ErrorCode::invalid_argument, "the model answers questions out of a context",
                      "give --question, and --context or --context-file");
  }
  infer::AnswerOptions options = arguments.answers;
  if (arguments.top > 0) options.top = arguments.top;
  QUERN_TRY(const auto answers,
            infer::answer(session, arguments.question, passage, options, *context.progress));
  Report report{{{"question", arguments.question}, {"answers", Json::array()}}, ""};
  for (const auto& [text, span, score] : answers) {
    report.json["answers"].push_back(
        {{"text", text}, {"score", score}, {"begin", span.begin}, {"end", span.end}});
    report.text += fmt::format("{:.4f}  {:>5}-{:<5} {}\n", score, span.begin, span.end, text);
  }
  print({arguments.question}, {report}, context);
  return {};
}

Result<void> score(const Arguments& arguments, const std::filesystem::path& path, Context& context) {
  QUERN_TRY(const infer::LoadedReward reward, infer::open_reward_model(path, arguments.dtype));
  QUERN_TRY(std::vector<RewardText> texts, read_reward_texts(arguments.inputs, reward));
  const auto longest = static_cast<size_t>(reward.model->config().max_positions);
  const InterruptGuard guard;
  for (RewardText& text : texts) {
    throw_if_interrupted();
    if (arguments.truncate && text.tokens.size() > longest) text.tokens.resize(longest);
    QUERN_TRY(const double worth, infer::reward_of(reward, text.tokens));
    std::ranges::replace(text.shown, '\n', ' ');
    context.print(context.json       ? dump({{"text", text.shown}, {"reward", worth}})
                  : texts.size() > 1 ? fmt::format("{:.4f}  {}\n", worth, text.shown)
                                     : fmt::format("{:.4f}\n", worth));
  }
  return {};
}

Result<void> predict(const Arguments& arguments, Context& context) {
  QUERN_TRY(const std::filesystem::path path, store::Store().resolve(arguments.model));
  if (infer::is_reward_model(path)) return score(arguments, path, context);
  QUERN_TRY(const infer::LoadedEncoder loaded, infer::open_encoder(path, arguments.dtype));
  const infer::EncoderSession session(loaded);
  const InterruptGuard guard;
  switch (session.config().head) {
    case model::Head::masked_lm:
      return fill_masks(arguments, session, context);
    case model::Head::sequence_classification:
      return classify(arguments, session, context);
    case model::Head::token_classification:
      return label_spans(arguments, session, context);
    case model::Head::question_answering:
      return answer(arguments, session, context);
    case model::Head::discriminator:
      return detect_replaced(arguments, session, context);
    case model::Head::none:
      break;
  }
  return make_error(ErrorCode::conflict, "the model has no head that predicts anything",
                    "'quern embed' makes vectors of texts with it");
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& app = line.app();
  app.add_option("MODEL", arguments->model, "folder of an encoder or a reward model, or a name in the store")
      ->required();
  arguments->inputs.define(line);
  app.add_flag("--pair", arguments->pair, "each text is two, separated by a tab");
  app.add_option("--top", arguments->top, "words for a mask [5], labels [all] or answers [1] to show")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20));
  app.add_option("--question", arguments->question, "what to find an answer to");
  app.add_option("--context", arguments->context, "the text that holds the answer");
  app.add_option("--context-file", arguments->context_file, "the same from a file; - reads stdin")
      ->excludes("--context");
  app.add_option("--window", arguments->answers.window, "tokens of question and context read at once")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 24));
  app.add_option("--stride", arguments->answers.stride, "tokens that windows of a long context share")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 24));
  app.add_option("--max-answer", arguments->answers.longest, "tokens of an answer at most")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 24));
  app.add_flag("--truncate", arguments->truncate, "of texts that are too long, read the beginning");
  line.choice("--dtype", arguments->dtype, "of activations",
              {{"f32", DType::f32}, {"bf16", DType::bf16}, {"f16", DType::f16}});
  return [arguments](Context& context) { return predict(*arguments, context); };
}

}  // namespace

Command predict_command() {
  return {
      .name = "predict",
      .group = Group::use,
      .summary = "what an encoder with a head, or a reward model, says about texts",
      .details =
          "The class in the model's config.json decides: a masked language model fills in masks, a sequence\n"
          "classifier gives labels with their probabilities, a token classifier finds spans, a model for\n"
          "questions answers them out of a context, and a discriminator tells which tokens were replaced.\n"
          "A reward model, or the adapter of one, says what texts are worth, or the conversations of a "
          ".jsonl\n"
          "file: {\"messages\": [...]}, {\"prompt\": ..., \"completion\": ...}.",

      .examples =
          "quern predict bert-base-uncased \"The capital of France is [MASK].\"\n"
          "quern predict bert-ner --data texts.txt --truncate --json\n"
          "quern predict bert-squad --question \"Where does it stand?\" --context-file article.txt",
      .define = define,
      .subcommands = {}};
}

}  // namespace quern::cli
