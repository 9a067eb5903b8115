#include "recipes/prepare.h"

#include <fmt/format.h>

#include <optional>
#include <system_error>

#include "base/clock.h"
#include "base/file.h"
#include "base/version.h"
#include "formats/gguf/archive.h"
#include "formats/hf_folder.h"
#include "infer/language.h"
#include "infer/template_probe.h"
#include "report/page.h"
#include "report/scripts.h"

namespace quern::recipes {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kShownRefusals = 200;  // in the report

// "theirs=ours" each.
Result<void> read_renames(PrepareConfig& config) {
  config.options.reader.renamed.clear();
  for (const std::string& pair : config.rename) {
    const size_t equals = pair.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == pair.size())
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("rename: expected \"theirs=ours\", got \"{}\"", pair),
                        "question=prompt reads the field question as the prompt");
    config.options.reader.renamed.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return {};
}

// Files of a tokenizer without a model beside them.
Result<infer::Language> open_tokenizer_language(const fs::path& path) {
  QUERN_TRY(text::Tokenizer tokenizer, text::Tokenizer::load(path));
  infer::Language language{.tokenizer = std::move(tokenizer)};
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    QUERN_TRY(language.templates, text::ChatTemplates::load(path));
  }
  if (const auto eos = language.tokenizer.special_ids().eos) language.end_tokens.push_back(*eos);
  const auto probe = infer::probe_template(language.templates, language.tokenizer);
  if (probe.ok() && probe->turn_end) language.end_tokens.push_back(*probe->turn_end);
  return language;
}

Json side_json(const data::PreparedSide& side) {
  return {{"file", side.path.string()},
          {"examples", side.examples},
          {"tokens", side.tokens},
          {"learnt_tokens", side.learnt}};
}

Json place_json(const data::PreparationReport& report, size_t file, int64_t line) {
  return {{"file", report.files[file].string()}, {"line", line}};
}

Json page_of(const data::PreparationReport& report, const Json& settings) {
  Json page = summary_of(report);
  page["settings"] = settings;
  page["samples"] = Json::array();
  for (const data::LearntSample& sample : report.samples) {
    Json row = place_json(report, sample.file, sample.line);
    row["documents"] = sample.documents;
    page["samples"].push_back(std::move(row));
  }
  return page;
}

}  // namespace

void PrepareConfig::fields(Fields& f) {
  f.add("out", options.folder, "folder of the results").required();
  choices_of_examples(f);
}

void PrepareConfig::choices_of_examples(Fields& f) {
  using data::LearntPart, data::ExampleForm;
  f.add("inputs", options.inputs, "files and folders: .jsonl or .json (an array), also as .gz or .zst")
      .required();
  f.add("tokenizer", tokenizer, "model whose tokenizer and chat template are used: folder, GGUF file or name")
      .required();
  f.add("chat_template", chat_template, "file of a Jinja template that replaces the model's");
  f.add("format", options.reader.form, "what the rows are; auto: what their fields say",
        {{"auto", ExampleForm::automatic},
         {"alpaca", ExampleForm::alpaca},
         {"sharegpt", ExampleForm::sharegpt},
         {"messages", ExampleForm::messages},
         {"completion", ExampleForm::completion},
         {"preference", ExampleForm::preference},
         {"unpaired", ExampleForm::unpaired}});
  f.add("rename", rename, "fields under other names, such as question=prompt");
  f.add("texts_as_messages", options.reader.texts_are_messages,
        "prompts and answers that are texts become messages of a chat; otherwise no template is put around "
        "them");
  f.add("special_tokens", choices.special_tokens,
        "in such texts, \"<|user|>\" and the like are special tokens");
  f.add("learn", choices.learn, "what is learnt of an example",
        {{"assistant", LearntPart::assistant},
         {"last_turn", LearntPart::last_turn},
         {"completion", LearntPart::completion},
         {"all", LearntPart::all}});
  f.add("max_length", options.max_length, "tokens of the longest sequence").at_least(2);
  f.add("too_long", options.too_long, "what becomes of longer ones",
        {{"drop", data::TooLong::drop},
         {"truncate", data::TooLong::truncate},
         {"refuse", data::TooLong::refuse}});
  f.add("bad_rows", options.bad_rows, "what becomes of rows that cannot be learnt",
        {{"drop", data::BadRows::drop}, {"refuse", data::BadRows::refuse}});
  f.add("duplicates", options.duplicates, "what becomes of rows that say the same as one before",
        {{"drop", data::Duplicates::drop},
         {"keep", data::Duplicates::keep},
         {"refuse", data::Duplicates::refuse}});
  f.add("validation", options.validation, "share of the examples that is held out").range(0, 0.9);
  f.add("seed", options.seed, "another seed holds out others");
  f.add("write", options.form, "token files to train on, or the checked rows",
        {{"tokens", data::PreparedForm::tokens}, {"jsonl", data::PreparedForm::jsonl}});
  f.add("samples", options.samples, "examples in the report").range(0, 100);
}

Result<data::ExampleLanguage> open_example_language(const fs::path& path, const fs::path& template_file) {
  std::error_code ignored;
  const bool is_model = formats::is_gguf(path) || fs::exists(path / formats::kConfigFile, ignored) ||
                        fs::exists(path / formats::kRunModel / formats::kConfigFile, ignored);
  QUERN_TRY(infer::Language language, is_model ? infer::open_language(path) : open_tokenizer_language(path));
  if (!template_file.empty()) {
    QUERN_TRY(const std::string source, read_file(template_file, text::jinja::kMaxSource));
    QUERN_CHECK(infer::use_template(language, source));
  }
  return data::ExampleLanguage{.tokenizer = std::move(language.tokenizer),
                               .templates = std::move(language.templates),
                               .end_tokens = std::move(language.end_tokens),
                               .chat_bos = language.chat_bos};
}

Json summary_of(const data::PreparationReport& report) {
  Json json;
  json["rows"] = report.row_count();
  json["content"] = name_of(report.content);
  json["train"] = side_json(report.train);
  if (!report.validation.path.empty()) json["validation"] = side_json(report.validation);
  json["truncated"] = report.truncated;
  json["longest"] = report.longest;
  json["left_out"] = report.refused_count();
  json["faults"] = Json::object();
  for (size_t i = 0; i < report.faults.size(); ++i)
    if (report.faults[i] > 0)
      json["faults"][std::string(name_of(static_cast<data::Fault>(i)))] = report.faults[i];
  json["refused"] = Json::array();
  for (size_t i = 0; i < std::min(kShownRefusals, report.refused.size()); ++i) {
    Json row = place_json(report, report.refused[i].file, report.refused[i].line);
    row["fault"] = name_of(report.refused[i].refusal.fault);
    row["what"] = report.refused[i].refusal.what;
    json["refused"].push_back(std::move(row));
  }
  json["lengths"] = Json::array();
  for (size_t bin = 0; bin < report.lengths.size(); ++bin)
    if (report.lengths[bin] > 0)
      json["lengths"].push_back({{"at_least", uint64_t{1} << bin},
                                 {"below", uint64_t{2} << bin},
                                 {"sequences", report.lengths[bin]}});
  json["files"] = Json::array();
  for (size_t i = 0; i < report.files.size(); ++i)
    json["files"].push_back({{"file", report.files[i].string()}, {"rows", report.rows[i]}});
  return json;
}

Result<data::PreparationReport> prepare(PrepareConfig& config, Progress& progress) {
  QUERN_CHECK(read_renames(config));
  QUERN_TRY(data::ExampleLanguage language, open_example_language(config.tokenizer, config.chat_template));
  QUERN_TRY(const data::ExampleRenderer renderer,
            data::ExampleRenderer::create(std::move(language), config.choices));
  QUERN_TRY(const FolderLock lock, FolderLock::acquire(config.options.folder));
  QUERN_TRY(data::PreparationReport report, data::prepare_examples(config.options, renderer, progress));
  const fs::path folder = config.options.folder;
  const Json settings = fields_of(config).to_json();
  const Json record = {{"quern", {{"version", version()}, {"commit", commit()}}},
                       {"finished", iso_time()},
                       {"config", settings},
                       {"result", summary_of(report)}};
  constexpr auto kReplace = nlohmann::json::error_handler_t::replace;
  QUERN_CHECK(write_file_atomic(folder / "prepare.json", record.dump(2, ' ', false, kReplace) + "\n"));
  QUERN_CHECK(
      report::write_page(folder / "report.html", assets::report_examples_js, page_of(report, settings)));
  return report;
}

}  // namespace quern::recipes
