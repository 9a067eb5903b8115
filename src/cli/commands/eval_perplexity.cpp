// quern eval perplexity
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/text_table.h"
#include "base/units.h"
#include "cli/named_model.h"
#include "eval/perplexity_report.h"

namespace quern::cli {

namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  NamedModel model;
  std::string base, data, report;
  bool allow_special = false;
  eval::ScoringOptions scoring;
};

struct Measurement {
  eval::EvaluationText text;
  eval::ScoredText scored;
  eval::PerplexityFigures figures;
  std::optional<eval::ComparisonFigures> comparison;
};

Result<Measurement> measure(const Arguments& arguments, Progress& progress) {
  QUERN_TRY(const std::string content, read_file(arguments.data));
  QUERN_TRY(const infer::LoadedModel loaded, arguments.model.open());
  Measurement result;
  result.text = eval::evaluation_text(loaded.tokenizer, content, arguments.allow_special);
  std::optional<infer::LoadedModel> base;
  if (!arguments.base.empty()) {
    const NamedModel other{arguments.base, arguments.model.dtype};
    QUERN_TRY(base, other.open());
    if (eval::evaluation_text(base->tokenizer, content, arguments.allow_special).tokens !=
        result.text.tokens) {
      return make_error(
          ErrorCode::conflict,
          fmt::format("{} and {} cut the text into different tokens", arguments.model.name, arguments.base),
          "only models of one tokenizer can be compared token by token; compare bits per byte");
    }
  }
  QUERN_TRY(result.scored, eval::score_text(result.text, arguments.scoring, loaded.model,
                                            base ? &base->model : nullptr, progress));
  result.figures = eval::perplexity_figures(result.scored);
  if (base) result.comparison = eval::comparison_figures(result.scored);
  return result;
}

Json summary_of(const Arguments& arguments, const Measurement& m) {
  const eval::WindowOptions& windows = arguments.scoring.windows;
  Json result = {{"model", arguments.model.name},
                 {"data", arguments.data},
                 {"method", windows.method == eval::WindowMethod::chunks ? "chunks" : "sliding"},
                 {"context", windows.context},
                 {"text_bytes", m.text.text.size()},
                 {"text_tokens", m.text.tokens.size()},
                 {"windows", m.scored.running.size()},
                 {"seconds", m.scored.seconds},
                 {"figures", to_json(m.figures)}};
  if (m.comparison) result["against"] = Json{{"model", arguments.base}, {"figures", to_json(*m.comparison)}};
  result["running"] = to_json(m.scored.running);
  return result;
}

std::string with_error(const eval::Estimate& estimate, int digits, double scale = 1.0) {
  return fmt::format("{:.{}f} ± {:.{}f}", scale * estimate.value, digits, scale * estimate.error, digits);
}

std::string name_of(const eval::Quantile& quantile) {
  if (quantile.q == 1.0) return "maximum";
  if (quantile.q == 0.0) return "minimum";
  return quantile.q == 0.5 ? "median" : fmt::format("{:.1f} %", 100.0 * quantile.q);
}

std::string to_text(const Arguments& arguments, const Measurement& m) {
  const eval::WindowOptions& windows = arguments.scoring.windows;
  const bool chunks = windows.method == eval::WindowMethod::chunks;
  TextTable table({"", ""});
  table.add({"text", fmt::format("{}: {} bytes, {} tokens", arguments.data, m.text.text.size(),
                                 m.text.tokens.size())});
  table.add({chunks ? "chunks" : "sliding windows",
             fmt::format("{} of {} tokens{}", m.scored.running.size(), windows.context,
                         chunks ? ", the second half scored" : "")});
  table.add({"scored", fmt::format("{} tokens, {} bytes, in {}", m.figures.tokens, m.figures.bytes,
                                   human_duration(m.scored.seconds))});
  table.add({"loss", with_error(m.figures.loss, 5) + " nats per token"});
  table.add({"bits per byte", with_error(m.figures.bits_per_byte, 5)});
  table.add({"perplexity", with_error(m.figures.perplexity, 4)});
  return table.to_string(0);
}

std::string to_text(const std::string& model, const std::string& base, const eval::ComparisonFigures& c) {
  TextTable perplexity({"", ""});
  perplexity.add({"PPL of " + model, with_error(c.perplexity, 6)});
  perplexity.add({"PPL of " + base, with_error(c.base_perplexity, 6)});
  perplexity.add({"correlation of ln PPL", fmt::format("{:.2f} %", 100.0 * c.correlation)});
  perplexity.add({"ln of the ratio", with_error(c.log_ratio, 6)});
  perplexity.add({"ratio", with_error(c.ratio, 6)});
  perplexity.add({"difference", with_error(c.difference, 6)});
  perplexity.add({"same likeliest token", with_error(c.same_top, 3, 100.0) + " %"});

  TextTable tokens({"per token", ">KL divergence", ">probability difference"});
  tokens.add({"mean", with_error(c.kl, 6), with_error(c.delta_p, 3, 100.0) + " %"});
  tokens.add({"root mean square", "", with_error(c.delta_p_rms, 3, 100.0) + " %"});
  for (size_t i = 0; i < c.kl_quantiles.size(); ++i) {
    tokens.add({name_of(c.kl_quantiles[i]), fmt::format("{:.6f}", c.kl_quantiles[i].value),
                fmt::format("{:.3f} %", 100.0 * c.delta_p_quantiles[i].value)});
  }
  return fmt::format("\n{}\n{}", perplexity.to_string(0), tokens.to_string(0));
}

Result<void> run(const Arguments& arguments, Context& context) {
  const InterruptGuard guard;
  QUERN_TRY(const Measurement measurement, measure(arguments, *context.progress));
  const Json summary = summary_of(arguments, measurement);
  if (!arguments.report.empty()) {
    QUERN_CHECK(
        eval::write_perplexity_report(arguments.report, summary, measurement.text, measurement.scored));
  }
  if (context.json) {
    context.print(summary.dump(2) + "\n");
    return {};
  }
  context.print(to_text(arguments, measurement));
  if (measurement.comparison)
    context.print(to_text(arguments.model.name, arguments.base, *measurement.comparison));
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  arguments->model.define(line);
  CLI::App& app = line.app();
  app.add_option("--data", arguments->data, "text file; UTF-8")->required();
  app.add_option("--against", arguments->base, "base model to compare with, token by token");
  app.add_option("--report", arguments->report, "HTML file to write, with plots and the hardest tokens");
  app.add_flag("--special", arguments->allow_special,
               "read <|endoftext|> and the like in the text as special tokens");
  line.config(arguments->scoring.windows);
  for (const char* key : {"method", "context", "stride", "chunks"})
    line.config_flag(fmt::format("--{}", key), key);
  return [arguments](Context& context) { return run(*arguments, context); };
}

}  // namespace

Command eval_perplexity_command() {
  return {
      .name = "perplexity",
      .group = Group::inspect,
      .summary = "how well a model predicts a text, and how far it lies from another model",
      .details =
          "Perplexity is exp of the mean loss per token; bits per byte may be compared across tokenizers.\n"
          "The default method is that of llama.cpp's perplexity tool, so that figures can be set side by\n"
          "side. With --against both models run side by side on the same tokens: KL divergence from the\n"
          "base, differences of token probabilities, and how often both find the same token likeliest.",
      .examples =
          "quern eval perplexity runs/demo/model --data held_out.txt\n"
          "quern eval perplexity model-q4_k_m.gguf --against model-f16.gguf --data wiki.test.raw\n"
          "quern eval perplexity gpt2 --data wiki.test.raw --method sliding --context 1024 --stride 512",
      .define = define,
      .subcommands = {}};
}

}  // namespace quern::cli
