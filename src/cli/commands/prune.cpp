// quern prune
#include "convert/prune.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/text_table.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "convert/hf_target.h"
#include "eval/perplexity.h"
#include "eval/pruning_scores.h"
#include "infer/loaded_model.h"
#include "store/store.h"

namespace quern::cli {

namespace {

using Json = nlohmann::ordered_json;

enum class By { best, weights, text };

struct Arguments {
  std::string model, out, data, pattern, dtype;
  std::vector<int64_t> drop_layers, keep_layers;
  int64_t heads = 0, channels = 0;  // that stay; 0: all
  double sparsity = 0.0;
  By by = By::best;
  eval::ScoringOptions scoring;
  bool force = false;

  bool by_text() const { return by == By::text || (by == By::best && !data.empty()); }
};

// What was done, for people and --json.
struct Pruned {
  model::ModelConfig before, after = {};
  int64_t parameters_before = 0, parameters_after = 0;
  std::vector<int64_t> dropped_layers = {};
  std::optional<convert::SparsityReport> zeros = {};
  std::optional<eval::PerplexityFigures> perplexity_before = {}, perplexity_after = {};
};

Result<convert::Sparsity> sparsity_of(const Arguments& arguments) {
  convert::Sparsity sparsity{.share = arguments.sparsity};
  if (arguments.pattern.empty()) return sparsity;
  const char* const end = arguments.pattern.data() + arguments.pattern.size();
  const auto left = std::from_chars(arguments.pattern.data(), end, sparsity.left);
  const bool colon = left.ec == std::errc() && left.ptr != end && *left.ptr == ':';
  const auto of = colon ? std::from_chars(left.ptr + 1, end, sparsity.of) : std::from_chars_result{end, {}};
  if (!colon || of.ec != std::errc() || of.ptr != end || sparsity.left < 1 || sparsity.of <= sparsity.left) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("--pattern: expected N:M with 0 < N < M, got '{}'", arguments.pattern),
                      "2:4 keeps the 2 largest of each 4 neighbours");
  }
  return sparsity;
}

// The indices of the `count` largest, ascending; of equals the first.
std::vector<int64_t> largest(const std::vector<double>& scores, int64_t count) {
  std::vector<int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) {
    return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
  });
  order.resize(static_cast<size_t>(count));
  std::ranges::sort(order);
  return order;
}

Error out_of_range(std::string_view option, int64_t wanted, int64_t most) {
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("{} {}: the model has {}", option, wanted, most));
}

Result<void> check(const Arguments& a, const model::ModelConfig& c) {
  const bool nothing = a.drop_layers.empty() && a.keep_layers.empty() && a.heads == 0 && a.channels == 0 &&
                       a.sparsity == 0.0 && a.pattern.empty();
  if (nothing) {
    return make_error(ErrorCode::invalid_argument, "nothing is to be removed",
                      "say --drop-layers, --heads, --channels, --sparsity or --pattern");
  }
  if (a.channels > c.intermediate) return out_of_range("--channels", a.channels, c.intermediate);
  if (a.heads > c.heads) return out_of_range("--heads", a.heads, c.heads);
  if (const int64_t shared = c.heads / c.kv_heads; a.heads % shared != 0) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("--heads {}: expected a multiple of {}", a.heads, shared),
                      fmt::format("{} heads share each of {} key heads", shared, c.kv_heads));
  }
  for (const auto* listed : {&a.drop_layers, &a.keep_layers}) {
    for (const int64_t layer : *listed) {
      if (layer >= 0 && layer < c.layers) continue;
      return make_error(ErrorCode::invalid_argument, fmt::format("there is no layer {}", layer),
                        fmt::format("layers are 0 to {}", c.layers - 1));
    }
  }
  if (a.data.empty() && a.by == By::text)
    return make_error(ErrorCode::invalid_argument, "--by text needs a text", "add --data FILE");
  return {};
}

std::vector<int64_t> layers_to_keep(const Arguments& a, int64_t layers) {
  std::vector<int64_t> kept;
  for (int64_t layer = 0; layer < layers; ++layer) {
    const auto is_in = [&](const auto& listed) { return std::ranges::find(listed, layer) != listed.end(); };
    if (a.keep_layers.empty() ? !is_in(a.drop_layers) : is_in(a.keep_layers)) kept.push_back(layer);
  }
  return kept;
}

Result<std::vector<convert::KeptLayer>> parts_to_keep(const Arguments& a, const model::Decoder& model,
                                                      const std::optional<eval::EvaluationText>& text,
                                                      Pruned& pruned, Progress& progress) {
  eval::PruningScores scores;
  if (text && a.by_text()) {
    QUERN_TRY(scores, eval::scores_over_text(model, *text, a.scoring.windows, progress));
  } else {
    scores = eval::scores_of_weights(model);
  }
  const model::ModelConfig& c = model.config();
  std::vector<convert::KeptLayer> kept;
  for (const int64_t layer : layers_to_keep(a, c.layers)) {
    convert::KeptLayer part{.layer = layer};
    const auto at = static_cast<size_t>(layer);
    // Mixtures of experts have no scores of channels: kept_part() refuses them.
    if (a.channels > 0)
      part.channels =
          scores.channels[at].empty() ? std::vector<int64_t>{0} : largest(scores.channels[at], a.channels);
    if (a.heads > 0) part.groups = largest(scores.groups[at], a.heads / (c.heads / c.kv_heads));
    kept.push_back(std::move(part));
  }
  for (int64_t layer = 0; layer < c.layers; ++layer)
    if (std::ranges::find(kept, layer, &convert::KeptLayer::layer) == kept.end())
      pruned.dropped_layers.push_back(layer);
  return kept;
}

Result<std::optional<eval::PerplexityFigures>> perplexity(const std::optional<eval::EvaluationText>& text,
                                                          const Arguments& a, const model::Decoder& model,
                                                          Progress& progress) {
  if (!text) return std::optional<eval::PerplexityFigures>();
  QUERN_TRY(const eval::ScoredText scored, eval::score_text(*text, a.scoring, model, nullptr, progress));
  return std::optional(eval::perplexity_figures(scored));
}

Result<Pruned> prune(const Arguments& a, Progress& progress) {
  QUERN_TRY(const convert::Sparsity sparsity, sparsity_of(a));
  QUERN_TRY(const std::filesystem::path source, store::Store().resolve(a.model));
  QUERN_TRY(infer::LoadedModel loaded, infer::open_model(source, DType::f32, false));
  const model::ModelConfig config = loaded.model.config();
  QUERN_CHECK(check(a, config));
  std::optional<eval::EvaluationText> text;
  if (!a.data.empty()) {
    QUERN_TRY(const std::string content, read_file(a.data));
    text = eval::evaluation_text(loaded.tokenizer, content, false);
  }
  Pruned pruned{.before = config, .parameters_before = nn::parameter_count(loaded.model)};
  QUERN_TRY(pruned.perplexity_before, perplexity(text, a, loaded.model, progress));
  QUERN_TRY(const auto kept, parts_to_keep(a, loaded.model, text, pruned, progress));
  QUERN_TRY(model::Decoder part, convert::kept_part(loaded.model, kept));
  if (a.sparsity > 0.0 || !a.pattern.empty()) {
    QUERN_TRY(pruned.zeros, convert::make_sparse(part, sparsity));
  }
  QUERN_TRY(pruned.perplexity_after, perplexity(text, a, part, progress));
  pruned.after = part.config();
  pruned.parameters_after = nn::parameter_count(part);
  QUERN_CHECK(convert::save_as_hf(part, loaded.tokenizer, a.out,
                                  dtype_from_name(a.dtype).value_or(config.dtype), a.force, progress));
  return pruned;
}

Json to_json(const Pruned& p, const Arguments& a) {
  const auto sizes = [](const model::ModelConfig& c, int64_t parameters, const auto& perplexity) {
    Json json = {{"layers", c.layers},
                 {"heads", c.heads},
                 {"kv_heads", c.kv_heads},
                 {"channels", c.intermediate},
                 {"parameters", parameters}};
    if (perplexity)
      json["perplexity"] = {{"value", perplexity->perplexity.value}, {"error", perplexity->perplexity.error}};
    return json;
  };
  Json json = {{"path", a.out},
               {"before", sizes(p.before, p.parameters_before, p.perplexity_before)},
               {"after", sizes(p.after, p.parameters_after, p.perplexity_after)},
               {"dropped_layers", p.dropped_layers}};
  if (p.zeros)
    json["zeros"] = {
        {"matrices", p.zeros->matrices}, {"weights", p.zeros->weights}, {"zeros", p.zeros->zeros}};
  return json;
}

std::string listed(const std::vector<int64_t>& numbers) {
  return fmt::format("{}", fmt::join(numbers, ", "));
}

std::string to_text(const Pruned& p, const Arguments& a) {
  TextTable table({"", ">before", ">after"});
  const auto row = [&](const char* name, int64_t before, int64_t after) {
    if (before != after) table.add({name, std::to_string(before), std::to_string(after)});
  };
  row("layers", p.before.layers, p.after.layers);
  row("heads", p.before.heads, p.after.heads);
  row("key heads", p.before.kv_heads, p.after.kv_heads);
  row("channels of MLPs", p.before.intermediate, p.after.intermediate);
  table.add({"parameters", human_count(static_cast<double>(p.parameters_before)),
             human_count(static_cast<double>(p.parameters_after))});
  if (p.zeros) {
    table.add(
        {"of them set to 0", "",
         fmt::format("{} ({:.1f} % of {} matrices)", human_count(static_cast<double>(p.zeros->zeros)),
                     100.0 * static_cast<double>(p.zeros->zeros) / static_cast<double>(p.zeros->weights),
                     p.zeros->matrices)});
  }
  if (p.perplexity_before) {
    const auto shown = [](const eval::Estimate& e) {
      return fmt::format("{:.4f} ± {:.4f}", e.value, e.error);
    };
    table.add({"perplexity", shown(p.perplexity_before->perplexity), shown(p.perplexity_after->perplexity)});
  }
  std::string text = table.to_string(0);
  if (!p.dropped_layers.empty()) text += fmt::format("layers removed: {}\n", listed(p.dropped_layers));
  return text + fmt::format("\n{}\n", a.out);
}

Result<void> run(const Arguments& arguments, Context& context) {
  const InterruptGuard guard;
  QUERN_TRY(const Pruned pruned, prune(arguments, *context.progress));
  context.print(context.json ? to_json(pruned, arguments).dump(2) + "\n" : to_text(pruned, arguments));
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& app = line.app();
  app.add_option("MODEL", arguments->model, "model folder, GGUF file, or a name in the store")->required();
  app.add_option("-o,--out", arguments->out, "folder to write")->required();
  CLI::Option* drop =
      app.add_option("--drop-layers", arguments->drop_layers, "layers to remove: 4,7; the first is 0")
          ->delimiter(',');
  app.add_option("--keep-layers", arguments->keep_layers, "layers that stay")->delimiter(',')->excludes(drop);
  app.add_option("--heads", arguments->heads, "how many query heads stay in each layer, with their key heads")
      ->check(CLI::PositiveNumber);
  app.add_option("--channels", arguments->channels, "how many channels stay inside each MLP")
      ->check(CLI::PositiveNumber);
  CLI::Option* sparsity = app.add_option("--sparsity", arguments->sparsity,
                                         "share of the weights of each matrix of the blocks to set to 0")
                              ->check(CLI::Range(0.0, 0.999));
  app.add_option("--pattern", arguments->pattern,
                 "N:M: of each M neighbours in a row the N largest stay, such as 2:4")
      ->excludes(sparsity);
  app.add_option("--data", arguments->data,
                 "text file; UTF-8: what the model is used for, to choose by and to measure on");
  line.choice("--by", arguments->by,
              "what heads and channels are chosen by; best: the text where there is one, else the weights",
              {{"best", By::best}, {"weights", By::weights}, {"text", By::text}});
  app.add_option("--context", arguments->scoring.windows.context, "tokens of a window of the text")
      ->capture_default_str();
  app.add_option("--chunks", arguments->scoring.windows.chunks, "windows from the start of the text; 0: all")
      ->capture_default_str();
  app.add_option("--dtype", arguments->dtype,
                 "of the weights written: f16, bf16 or f32 (default: the model's)")
      ->check(CLI::IsMember({"f16", "bf16", "f32"}));
  app.add_flag("--force", arguments->force, "replace what is there");
  return [arguments](Context& context) { return run(*arguments, context); };
}

}  // namespace

Command prune_command() {
  return {.name = "prune",
          .group = Group::use,
          .summary = "make a model smaller: fewer layers, heads or channels, or weights set to 0",
          .details =
              "Writes a folder that Quern and transformers open. What is left has lost much: let it recover "
              "with\n"
              "`quern train`. Weights set to 0 "
              "stay in\n"
              "their places: files and passes do not get smaller by them.",
          .examples =
              "quern prune smollm2 --drop-layers 20,21,22,23 --out smollm2-26\n"
              "quern prune runs/demo/model --heads 4 --channels 512 --data prose.txt --out smaller\n"
              "quern prune runs/demo/model --pattern 2:4 --out sparse",
          .define = define,
          .subcommands = {}};
}

}  // namespace quern::cli
