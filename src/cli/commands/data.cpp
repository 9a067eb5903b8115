// quern data synth | info | prepare; the others are in data_*.cpp
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "base/text_table.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "data/corpus_info.h"
#include "data/synth/corpus.h"
#include "recipes/prepare.h"
#include "store/store.h"

namespace quern::cli {

Command data_answer_command();
Command data_critique_command();
Command data_instruct_command();

namespace {

struct SynthArguments {
  std::string out;
  data::synth::CorpusOptions options;
};

std::string percent(double share) { return fmt::format("{:.1f} %", 100.0 * share); }

Result<void> synth(const SynthArguments& arguments, Context& context) {
  const InterruptGuard guard;
  QUERN_TRY(const auto report,
            data::synth::write_corpus(arguments.out, arguments.options, *context.progress));
  if (context.json) {
    context.print(data::synth::as_json(report).dump(2) + "\n");
    return {};
  }
  TextTable table({"file", "holds"});
  table.add({"train.jsonl", fmt::format("{} documents, {}, {} words of {} different", report.documents,
                                        human_bytes(static_cast<uint64_t>(report.bytes)),
                                        human_count(static_cast<double>(report.words)), report.vocabulary)});
  table.add(
      {"heldout.jsonl", fmt::format("{} documents, {} of them in train.jsonl; of their sentences {} are, "
                                    "of their runs of 8 words {}",
                                    report.held_out, report.overlap.documents,
                                    percent(report.overlap.sentences), percent(report.overlap.eight_words))});
  table.add({"questions.jsonl", fmt::format("{} questions with answers, {} of them in train.jsonl",
                                            report.questions, report.overlap.questions)});
  context.print(table.to_string());
  return {};
}

Runner define_synth(CommandLine& line) {
  auto arguments = std::make_shared<SynthArguments>();
  line.app().add_option("-o,--out", arguments->out, "folder to write to")->required();
  line.app()
      .add_option("--documents", arguments->options.documents, "documents for training")
      ->capture_default_str();
  line.app()
      .add_option("--questions", arguments->options.questions, "held-out questions, at most")
      ->capture_default_str();
  line.app()
      .add_option("--seed", arguments->options.seed, "another seed, another corpus")
      ->capture_default_str();
  return [arguments](Context& context) { return synth(*arguments, context); };
}

struct InfoArguments {
  std::vector<std::string> inputs;
  data::ReaderOptions options;
};

nlohmann::ordered_json info_json(const data::CorpusInfo& info) {
  const data::CorpusStatistics& s = info.statistics;
  nlohmann::ordered_json lengths = nlohmann::ordered_json::array();
  for (size_t digits = 1; digits < info.lengths.size(); ++digits)
    if (info.lengths[digits] > 0)
      lengths.push_back({{"at_least", uint64_t{1} << (digits - 1)},
                         {"below", uint64_t{1} << digits},
                         {"documents", info.lengths[digits]}});
  return {{"files", s.files},
          {"ignored_files", s.ignored_files},
          {"documents", s.documents},
          {"bytes", s.bytes},
          {"shortest", info.shortest},
          {"longest", info.longest},
          {"invalid_utf8_documents", s.invalid_documents},
          {"replacements", s.replacements},
          {"blank_documents", s.blank_documents},
          {"cut_documents", s.cut_documents},
          {"lengths", lengths}};
}

// One line per power of two, with a bar as long as its share of the fullest.
std::string histogram(const data::CorpusInfo& info) {
  constexpr double kBar = 40;
  const auto fullest = *std::max_element(info.lengths.begin(), info.lengths.end());
  TextTable table({"length", ">documents", ""});
  for (size_t digits = 1; digits < info.lengths.size(); ++digits) {
    const int64_t count = info.lengths[digits];
    if (count == 0) continue;
    const auto bar =
        static_cast<size_t>(std::lround(kBar * static_cast<double>(count) / static_cast<double>(fullest)));
    table.add({"< " + human_bytes(uint64_t{1} << digits), std::to_string(count), std::string(bar, '#')});
  }
  return table.to_string();
}

Result<void> info(const InfoArguments& arguments, Context& context) {
  QUERN_TRY(const data::CorpusInfo info,
            data::inspect_corpus(arguments.inputs, arguments.options, *context.progress));
  if (context.json) {
    context.print(info_json(info).dump(2) + "\n");
    return {};
  }
  const data::CorpusStatistics& s = info.statistics;
  std::string text = fmt::format("{} documents in {} files, {}\n", s.documents, s.files,
                                 human_bytes(static_cast<uint64_t>(s.bytes)));
  if (s.ignored_files > 0) text += fmt::format("{} files with other endings are not read\n", s.ignored_files);
  if (s.invalid_documents > 0)
    text += fmt::format("{} documents are not valid UTF-8; {} bad sequences replaced\n", s.invalid_documents,
                        s.replacements);
  if (s.blank_documents > 0) text += fmt::format("{} blank documents left out\n", s.blank_documents);
  if (s.cut_documents > 0) text += fmt::format("{} documents cut because of their length\n", s.cut_documents);
  text +=
      fmt::format("shortest {}, longest {}, mean {}\n\n", human_bytes(static_cast<uint64_t>(info.shortest)),
                  human_bytes(static_cast<uint64_t>(info.longest)),
                  human_bytes(static_cast<uint64_t>(s.bytes / s.documents)));
  context.print(text + histogram(info));
  return {};
}

Runner define_info(CommandLine& line) {
  auto arguments = std::make_shared<InfoArguments>();
  data::ReaderOptions& options = arguments->options;
  line.app()
      .add_option("PATH", arguments->inputs, "files and folders: .txt, .md, .jsonl, also .gz or .zst")
      ->required();
  line.app()
      .add_option("--text-field", options.text_field, "JSONL field that holds the text")
      ->capture_default_str();
  line.app().add_option("--split-on", options.split_on,
                        "what stands between two documents of a text file, such as $'\\n\\n'");
  line.choice<data::InvalidUtf8>("--invalid-utf8", options.invalid_utf8,
                                 "what to do with bytes that are not UTF-8",
                                 {{"replace", data::InvalidUtf8::replace},
                                  {"refuse", data::InvalidUtf8::refuse},
                                  {"skip", data::InvalidUtf8::skip}});
  return [arguments](Context& context) { return info(*arguments, context); };
}

// One line per side, and one per reason why rows are left out; then an example with what is learnt of it.
std::string prepared_text(const data::PreparationReport& report) {
  TextTable table({"", ""});
  const auto share = [](const data::PreparedSide& side) {
    return fmt::format(
        "{} examples, {} tokens, {} of them learnt", side.examples, side.tokens,
        percent(static_cast<double>(side.learnt) / static_cast<double>(std::max<int64_t>(side.tokens, 1))));
  };
  table.add({report.train.path.string(), share(report.train)});
  if (!report.validation.path.empty()) table.add({report.validation.path.string(), share(report.validation)});
  table.add({"longest", fmt::format("{} tokens", report.longest)});
  if (report.truncated > 0) table.add({"cut", fmt::format("{} examples", report.truncated)});
  table.add({"left out", fmt::format("{} of {} rows", report.refused_count(), report.row_count())});
  for (size_t i = 0; i < report.faults.size(); ++i) {
    if (report.faults[i] == 0) continue;
    const auto fault = static_cast<data::Fault>(i);
    const auto first =
        std::ranges::find_if(report.refused, [&](const auto& row) { return row.refusal.fault == fault; });
    std::string place;
    if (first != report.refused.end())
      place = fmt::format(", first {}:{}: {}", report.files[first->file].string(), first->line,
                          first->refusal.what);
    table.add({fmt::format("  {}", name_of(fault)), fmt::format("{}{}", report.faults[i], place)});
  }
  std::string text = table.to_string(0);
  if (report.samples.empty()) return text;
  text += "\nWhat is learnt of the first:\n";
  const bool colours = ::isatty(STDOUT_FILENO) == 1;
  for (const auto& runs : report.samples[0].documents) text += "\n" + data::show_learnt(runs, colours) + "\n";
  return text;
}

Result<void> prepare(recipes::PrepareConfig& config, Context& context) {
  const InterruptGuard guard;
  QUERN_TRY(const std::filesystem::path tokenizer, store::Store().resolve(config.tokenizer));
  config.tokenizer = tokenizer.string();
  QUERN_TRY(const data::PreparationReport report, recipes::prepare(config, *context.progress));
  context.print(context.json ? recipes::summary_of(report).dump(2) + "\n" : prepared_text(report));
  return {};
}

Runner define_prepare(CommandLine& line) {
  auto config = std::make_shared<recipes::PrepareConfig>();
  line.config(*config, "CONFIG");
  return [config](Context& context) { return prepare(*config, context); };
}

}  // namespace

Command data_command() {
  Command synth{.name = "synth",
                .group = Group::data,
                .summary = "write a corpus of small stories and questions, to try everything on",
                .details =
                    "Files: train.jsonl, heldout.jsonl (combinations that are not in train.jsonl), "
                    "questions.jsonl (held-out\nquestions with their answers) and report.json. Equal "
                    "options give equal bytes on every machine.",
                .examples = "quern data synth --out data/tales --seed 1",
                .define = define_synth,
                .subcommands = {}};
  Command info{.name = "info",
               .group = Group::data,
               .summary = "count the documents of a corpus, their bytes, lengths and UTF-8 problems",
               .details = {},
               .examples = "quern data info docs/handbook",
               .define = define_info,
               .subcommands = {}};
  Command prepare{
      .name = "prepare",
      .group = Group::data,
      .summary = "check, render and tokenize examples to tune a model on",
      .details =
          "Reads Alpaca, ShareGPT, OpenAI messages, prompts with completions, preferences and unpaired "
          "answers, and "
          "renders\nthem with the chat template of the model. Writes train.tokens, validation.tokens, "
          "report.html (what is "
          "learnt, in\ncolour) and refused.jsonl (every row that is left out, and why) into the folder "
          "`out`.",
      .examples =
          "quern data prepare configs/prepare.yaml\n"
          "quern data prepare --set inputs=alpaca.json --set tokenizer=MODEL --set out=data/alpaca",
      .define = define_prepare,
      .subcommands = {}};
  return {.name = "data",
          .group = Group::data,
          .summary = "make and inspect corpora, and prepare examples to tune on",
          .details = {},
          .examples = "quern data synth --out data/tales",
          .define = nullptr,
          .subcommands = {std::move(synth), std::move(info), std::move(prepare), data_answer_command(),
                          data_critique_command(), data_instruct_command()}};
}

}  // namespace quern::cli
