// Examples for supervised tuning and alignment, prepared as a config says: `quern data prepare`.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/progress.h"
#include "base/result.h"
#include "data/examples/preparation.h"

namespace quern::recipes {

struct PrepareConfig {
  std::string tokenizer;      // a model folder, a folder of tokenizer files, or a GGUF file
  std::string chat_template;  // a file that replaces the model's; empty: the model's
  std::vector<std::string> rename;
  data::PreparationOptions options;
  data::RenderChoices choices;

  void fields(Fields& f);
  // All of them but where the results go.
  void choices_of_examples(Fields& f);
};

// The language that examples are rendered in: of a model, or of tokenizer files alone. `template_file` as in
// PrepareConfig. Errors of infer::open_language, Tokenizer::load, ChatTemplates::load and infer::use_template.
Result<data::ExampleLanguage> open_example_language(const std::filesystem::path& tokenizer,
                                                    const std::filesystem::path& template_file = {});

// Prepares the examples, and writes OUT/report.html and OUT/prepare.json (settings and summary). Errors of
// open_example_language, ExampleRenderer::create and prepare_examples; invalid_argument for a bad "rename".
Result<data::PreparationReport> prepare(PrepareConfig& config, Progress& progress);

// The report for --json, and what OUT/report.html is drawn from.
nlohmann::ordered_json summary_of(const data::PreparationReport& report);

}  // namespace quern::recipes
