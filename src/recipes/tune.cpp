#include "recipes/tune.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <memory>

#include "base/file.h"
#include "base/log.h"
#include "base/units.h"
#include "data/examples/example_renderer.h"
#include "formats/peft.h"
#include "model/adapter.h"
#include "model/load.h"
#include "nn/learn_only.h"
#include "nn/lora.h"
#include "ops/cast.h"
#include "recipes/pretrain.h"
#include "recipes/training_run.h"
#include "recipes/tuning/settings.h"
#include "recipes/tuning/task.h"

namespace quern::recipes {

namespace fs = std::filesystem;

namespace {

Result<data::SupervisedSampler> open_sampler(const fs::path& path, const TuneConfig& config) {
  QUERN_TRY(data::TokenDataset dataset, data::TokenDataset::open(path.string()));
  if (const TuningTask& task = task_of(config.task); dataset.content() != task.examples) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{} holds {}, and task {} learns from {}", path.string(),
                                  data::name_of(dataset.content()), task.name, data::name_of(task.examples)),
                      "prepare other rows (quern data prepare), or choose another task");
  }
  return data::SupervisedSampler::create(std::move(dataset),
                                         {.sequence = config.train.sequence_lengths.max(),
                                          .rows = std::max<int64_t>(config.train.micro_batch, 1),
                                          .packed = config.packed,
                                          .seed = config.train.seed,
                                          .last_tokens = task_of(config.task).scores});
}

Result<train::Examples> open_examples(const TuneConfig& config) {
  const fs::path folder(config.examples);
  QUERN_TRY(data::SupervisedSampler train, open_sampler(folder / "train.tokens", config));
  train::Examples examples{std::move(train)};
  std::error_code ignored;
  if (fs::exists(folder / "validation.tokens", ignored)) {
    QUERN_TRY(examples.validation, open_sampler(folder / "validation.tokens", config));
  }
  return examples;
}

// The same examples, each after the virtual tokens of the adapter.
Result<void> put_before(const std::vector<int32_t>& ids, data::SupervisedSampler& examples) {
  data::SupervisedOptions options = examples.options();
  options.before = ids;
  QUERN_TRY(examples, data::SupervisedSampler::create(examples.dataset(), std::move(options)));
  return {};
}

Result<Tuning> learn_examples(const TuneConfig& config, const TunedModel& model, train::Examples examples) {
  if (const auto ids = model.model().virtual_tokens(model.adapter.get()); !ids.empty()) {
    QUERN_CHECK(put_before(ids, examples.train));
    if (examples.validation) QUERN_CHECK(put_before(ids, *examples.validation));
  }
  QUERN_TRY(std::unique_ptr<train::Criterion> criterion, task_of(config.task).criterion(config, model));
  QUERN_TRY(std::unique_ptr<train::Objective> objective,
            train::ExampleObjective::create(model.model().config(), std::move(examples),
                                            tuning_options(config, model), std::move(criterion)));
  return Tuning{usual_trainee(config, model), std::move(objective)};
}

// The first example as the model will learn it.
std::string first_example(const data::TokenDataset& dataset, const text::Tokenizer& tokenizer) {
  const bool pair = dataset.content() == data::TokenContent::preferences;
  std::string shown;
  for (int64_t i = 0; i < (pair ? 2 : 1); ++i) {
    if (pair) shown.append(i == 0 ? "Preferred: " : "\nOver: ");
    shown.append(
        data::show_learnt(data::learnt_runs(tokenizer, dataset.document(i)), ::isatty(STDERR_FILENO) == 1));
  }
  return shown;
}

// Of a folder with train.jsonl and validation.jsonl, or without the latter, or of a file.
Result<align::PromptSets> open_prompts(const TuneConfig& config, const infer::Language& language) {
  const align::PromptOptions options{
      .texts_as_messages = config.rollout.texts_as_messages,
      .max_tokens = config.train.sequence_lengths.max() - config.rollout.options.max_tokens,
      .references = config.rewards.needs_references()};
  const fs::path path(config.examples), held_out = path / "validation.jsonl";
  std::error_code ignored;
  const bool folder = fs::is_directory(path, ignored);
  QUERN_TRY(align::PromptSet train,
            align::PromptSet::read(folder ? path / "train.jsonl" : path, language, options));
  align::PromptSets prompts{std::move(train), std::nullopt};
  if (folder && fs::exists(held_out, ignored)) {
    QUERN_TRY(prompts.validation, align::PromptSet::read(held_out, language, options));
  }
  return prompts;
}

// The ids of adapter.tokens.
Result<std::vector<int32_t>> ids_of(const std::vector<std::string>& tokens,
                                    const infer::LoadedModel& loaded) {
  std::vector<int32_t> ids;
  for (const std::string& token : tokens) {
    const std::optional<text::TokenId> id = loaded.tokenizer.token_to_id(token);
    if (!id || *id >= loaded.model.config().vocab_size) {
      return make_error(
          ErrorCode::invalid_argument,
          fmt::format(
              "adapter.tokens: '{}' is {}", token,
              id ? fmt::format("token {}, and the model has {}", *id, loaded.model.config().vocab_size)
                 : "no token of the model"),
          "'quern convert MODEL --to hf --add-token TEXT' brings one; words are named as the vocabulary "
          "writes them");
    }
    ids.push_back(*id);
  }
  return ids;
}

// A new adapter, or the one to go on from.
Result<std::unique_ptr<nn::Adapter>> open_adapter(const TuneConfig& config,
                                                  const infer::LoadedModel& loaded) {
  formats::PeftConfig settings = config.adapter.settings;
  if (config.adapter.from.empty()) {
    if (!config.adapter.tokens.empty()) {
      QUERN_TRY(settings.token_rows[""], ids_of(config.adapter.tokens, loaded));
    }
    return model::make_adapter(loaded.model, settings, loaded.tokenizer.encode(settings.tokens.init_text),
                               config.train.seed);
  }
  QUERN_TRY(const formats::PeftFolder folder, formats::PeftFolder::open(config.adapter.from));
  QUERN_TRY(std::unique_ptr<nn::Adapter> adapter, model::load_adapter(loaded.model, folder));
  nn::set_trainable(*adapter, true);
  return adapter;
}

Result<TunedModel> open_tuned(const TuneConfig& config) {
  const bool whole = config.adapter.method == AdapterConfig::Method::none;
  QUERN_TRY(infer::Language language, infer::open_language(config.from));
  const model::LoadOptions how{
      .trainable = whole,
      .compute_dtype = config.train.dtype,
      .four_bit = config.load_in_4bit,
      // Answers are given as fast as the model is served, unless they are drawn as they are learnt.
      .pack = !whole && task_of(config.task).has_prompts() && !config.rollout.options.decoded};
  TunedModel result;
  const auto take = [&](model::Decoder decoder) {
    result.loaded =
        std::make_shared<infer::LoadedModel>(infer::LoadedModel{std::move(language), std::move(decoder)});
  };
  if (task_of(config.task).scores) {
    QUERN_TRY(model::RewardModel reward, model::load_reward_model(config.from, how));
    take(std::move(reward.decoder()));
    result.reward = std::make_shared<model::RewardModel>(
        std::shared_ptr<model::Decoder>(result.loaded, &result.loaded->model));
    result.reward->score().assign(ops::cast(reward.score().master().detached(), DType::f32).clone());
    result.reward->score().set_trainable(true);
  } else {
    QUERN_TRY(model::Decoder decoder, model::load_model(config.from, how));
    take(std::move(decoder));
  }
  if (whole) {
    if (!config.learn.empty()) QUERN_CHECK(nn::learn_only(result.model(), config.learn));
    return result;
  }
  QUERN_TRY(result.adapter, open_adapter(config, *result.loaded));
  if (auto* lora = dynamic_cast<nn::LoraAdapter*>(result.adapter.get())) {
    for (nn::LoraModule& module : lora->modules())
      for (nn::LoraModule::Part& part : module.parts)
        part.b.set_learning_rate_factor(config.adapter.b_learning_rate);
  }
  return result;
}

using SaveExtras = std::function<Result<void>(const fs::path&)>;

// Sets the steps of a run that goes by epochs.
Result<void> set_steps(TuneConfig& config, int64_t per_epoch) {
  if (config.train.steps > 0) return {};
  config.train.steps = std::max<int64_t>(1, std::llround(config.epochs * static_cast<double>(per_epoch)));
  return config.train.finish();
}

// Trains what was begun, and records it. `key`: of what it learns from.
Result<train::TrainSummary> run(TuneConfig& config, const TrainHow& how, Tuning tuning,
                                SaveExtras save_extras, const std::string& key) {
  train::TrainHooks hooks;
  hooks.sample = std::move(tuning.sample);
  hooks.save_extras = std::move(save_extras);
  QUERN_TRY(train::TrainSummary summary, run_training(std::move(tuning.trainee), std::move(tuning.objective),
                                                      config.train, config.out, std::move(hooks), how));
  nlohmann::ordered_json settings = {{"task", task_of(config.task).name}};
  settings.update(fields_of(config).to_json());
  settings["train"] = fields_of(config.train).to_json();
  QUERN_CHECK(write_run_record(config.out, settings, {{"model", config.from}, {"examples", key}},
                               figures_of(summary)));
  return summary;
}

Result<train::TrainSummary> tune_by_rows(TuneConfig& config, const TrainHow& how) {
  const TuningTask& task = task_of(config.task);
  QUERN_TRY(EncoderTuning begun, (config.reads_pairs ? task.begin_with_pairs : task.begin_with_rows)(config));
  QUERN_CHECK(set_steps(config, begun.steps_per_epoch));
  const fs::path refused = fs::path(config.out) / "refused.jsonl";
  QUERN_CHECK(write_file_atomic(refused, begun.refused.lines));
  if (begun.refused.count() > 0) {
    log::warn("train", "{} of {} rows are left out ({}); {} lists them", begun.refused.count(), begun.rows,
              begun.refused.summary(), refused.string());
  }
  log::info("train", "{} examples, {} steps an epoch, {} parameters", begun.examples, begun.steps_per_epoch,
            human_count(static_cast<double>(nn::parameter_count(begun.tuning.trainee->parameters()))));
  if (how.say) how.say("The first example:\n" + begun.first);
  return run(config, how, std::move(begun.tuning), std::move(begun.save_extras),
             fmt::format("{:016x}", begun.key));
}

}  // namespace

void AdapterConfig::fields(Fields& f) {
  f.add("method", method,
        "lora: train an adapter beside the model; bottleneck: narrow maps behind attention and MLP; prompt: "
        "embeddings before every text; prefix: keys and values before it; none: the model itself",
        {{"lora", Method::lora},
         {"prompt", Method::prompt},
         {"prefix", Method::prefix},
         {"bottleneck", Method::bottleneck},
         {"none", Method::none}});
  f.add("rank", settings.rank, "rows of A").range(1, 4096);
  f.add("alpha", settings.alpha, "the adapter is scaled by alpha / rank").at_least(0);
  f.add("dropout", settings.dropout, "of what enters A; of what a bottleneck adds").range(0, 0.9);
  f.add("targets", settings.targets,
        "linear maps, by the ends of their paths; all-linear: every one in the blocks");
  f.add("rank_stabilised", settings.rank_stabilised, "scale by alpha / sqrt(rank)");
  f.add("magnitudes", settings.magnitudes, "DoRA: learn the lengths of the rows, too");
  f.add("tokens", tokens,
        "lora: tokens whose vectors learn, too, as new ones must (quern convert --add-token)");
  f.add("b_learning_rate", b_learning_rate, "LoRA+: the learning rate of B, times that of the others")
      .range(1e-3, 1e3);
  f.add("virtual_tokens", settings.tokens.count, "prompt and prefix: how many stand before every text")
      .range(1, 1 << 20);
  f.add("init_text", settings.tokens.init_text,
        "prompt and prefix: text that they begin as; empty: random tokens");
  f.add("projection", settings.tokens.projection,
        "prefix: inner width of a perceptron that makes it while it learns; 0: none")
      .range(0, 1 << 20);
  f.add("width", settings.bottleneck.width,
        "bottleneck: of what is between its maps; 0: by adapter.reduction")
      .range(0, 1 << 20);
  f.add("reduction", settings.bottleneck.reduction, "bottleneck: the width of the model divided by its own")
      .range(1e-3, 1 << 20);
  f.add("activation", settings.bottleneck.activation, "bottleneck: between its maps")
      .one_of({"relu", "silu", "gelu", "gelu_new", "tanh", "sigmoid", "relu2", "linear"});
  f.add("places", places, "bottleneck: behind which branches of each layer it stands",
        {{"both", Places::both}, {"attention", Places::attention}, {"mlp", Places::mlp}});
  f.add("reads_stream", settings.bottleneck.reads_stream,
        "bottleneck: the residual stream is added to what enters it");
  f.add("scale", settings.bottleneck.scale, "bottleneck: of what it adds").range(-1e3, 1e3);
  f.add("from", from, "adapter folder to go on from; its settings hold");
}

Result<void> AdapterConfig::check_method(const Fields& loaded) {
  using formats::PeftMethod;
  settings.method = method == Method::prompt       ? PeftMethod::prompt
                    : method == Method::prefix     ? PeftMethod::prefix
                    : method == Method::bottleneck ? PeftMethod::bottleneck
                                                   : PeftMethod::lora;
  settings.bottleneck.attention = places != Places::mlp;
  settings.bottleneck.mlp = places != Places::attention;
  const auto refuse = [&](std::initializer_list<const char*> keys, const char* methods) -> Result<void> {
    for (const char* key : keys) {
      if (!loaded.is_set(fmt::format("adapter.{}", key))) continue;
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("adapter.{} is set, and is of method {}", key, methods),
                        "drop it, or choose another adapter.method");
    }
    return {};
  };
  if (method != Method::lora && method != Method::none) {
    QUERN_CHECK(refuse(
        {"rank", "alpha", "targets", "rank_stabilised", "magnitudes", "tokens", "b_learning_rate"}, "lora"));
  }
  if (has_virtual_tokens()) {
    QUERN_CHECK(refuse({"dropout"}, "lora or bottleneck"));
    settings.dropout = 0.0;
  } else {
    QUERN_CHECK(refuse({"virtual_tokens", "init_text"}, "prompt or prefix"));
  }
  if (method != Method::bottleneck) {
    QUERN_CHECK(
        refuse({"width", "reduction", "activation", "places", "reads_stream", "scale"}, "bottleneck"));
  }
  if (settings.bottleneck.width > 0 && loaded.is_set("adapter.reduction")) {
    return make_error(ErrorCode::invalid_argument, "adapter.width and adapter.reduction are both set",
                      "each says the other: leave one out");
  }
  if (method != Method::prefix) QUERN_CHECK(refuse({"projection"}, "prefix"));
  settings.tokens.projected = settings.tokens.projection > 0;
  if (!settings.tokens.projected || settings.tokens.init_text.empty()) return {};
  return make_error(ErrorCode::invalid_argument, "adapter.init_text and adapter.projection are both set",
                    "what a perceptron makes cannot begin as a text: leave one out");
}

Result<void> AdapterConfig::check_from(bool none, const Fields& loaded) {
  if (none) {
    return make_error(ErrorCode::unsupported, "adapter.from is of adapters beside a model that writes",
                      "merge that adapter (quern merge), and train from the result");
  }
  for (const char* key :
       {"rank", "alpha", "targets", "rank_stabilised", "magnitudes", "tokens", "virtual_tokens", "init_text",
        "projection", "width", "reduction", "activation", "places", "reads_stream", "scale"}) {
    if (loaded.is_set(fmt::format("adapter.{}", key))) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("adapter.{} is set, and adapter.from has its own", key), "leave one out");
    }
  }
  if (loaded.is_set("adapter.dropout")) chosen_dropout = settings.dropout;
  return {};
}

Result<void> AdapterConfig::take_settings() {
  QUERN_TRY(const formats::PeftFolder folder, formats::PeftFolder::open(from));
  if (folder.config.method != settings.method) {
    return make_error(ErrorCode::conflict,
                      fmt::format("adapter.from, {}, is of {}, and adapter.method of {}", from,
                                  formats::name_of(folder.config.method), formats::name_of(settings.method)),
                      "adapter.method is lora, prompt, prefix or bottleneck");
  }
  const std::string base = settings.base;
  settings = folder.config;
  settings.base = base;
  settings.dropout = chosen_dropout.value_or(settings.dropout);
  return {};
}

void DistillConfig::fields(Fields& f) {
  using ops::Divergence;
  f.add("teacher", teacher, "model folder or GGUF file of the same vocabulary");
  f.add("weight", options.share,
        "of the divergence in the loss; the rest is that of the examples' own tokens")
      .range(0, 1);
  f.add("temperature", options.temperature, "at which both distributions are compared; 2 to 4 flatten them")
      .range(0.01, 100);
  f.add("divergence", options.divergence,
        "forward: of the teacher from the student; reverse: of the student from it; jensen_shannon: between "
        "both",
        {{"forward", Divergence::forward_kl},
         {"reverse", Divergence::reverse_kl},
         {"jensen_shannon", Divergence::jensen_shannon}});
  f.add("beta", options.beta, "of jensen_shannon: 0 is forward, 1 reverse").range(0, 1);
}

void PreferenceConfig::fields(Fields& f) {
  using Kind = align::PairLossKind;
  f.add("loss", options.pair.kind, "task dpo: of the difference of log-ratios",
        {{"sigmoid", Kind::sigmoid}, {"robust", Kind::robust}, {"hinge", Kind::hinge}, {"ipo", Kind::ipo}});
  f.add("beta", options.pair.beta,
        "how closely the model is held to the reference; of orpo and simpo, the weight")
      .range(1e-6, 1e6);
  f.add("gamma", options.pair.gamma, "task simpo: how far preferred answers must be ahead").at_least(0);
  f.add("label_smoothing", options.pair.label_smoothing, "share of the pairs that may be the wrong way round")
      .range(0, 0.499);
  f.add("nll_weight", options.nll_weight, "weight of the loss of preferred answers alone").at_least(0);
  f.add("reference", reference, "compare with the model as it was; false: with nothing");
}

void KtoConfig::fields(Fields& f) {
  f.add("beta", options.beta, "how closely the model is held to the reference").range(1e-6, 1e6);
  f.add("wanted_weight", options.wanted_weight, "of answers that are wanted").at_least(0);
  f.add("unwanted_weight", options.unwanted_weight, "of answers that are not").at_least(0);
}

void RewardConfig::fields(Fields& f) {
  f.add("center", loss.center,
        "weight of the square of what both answers are worth together: keeps rewards near 0")
      .at_least(0);
}

void TuneConfig::fields(Fields& f) {
  f.add("examples", examples,
        "tuning: folder of `quern data prepare`; of tasks with prompts or rows, a folder with train.jsonl, "
        "or a "
        "file");
  f.add("load_in_4bit", load_in_4bit,
        "tuning of an adapter: matrices of the layers become NF4 with double quantisation as they are loaded "
        "(QLoRA)");
  f.add("epochs", epochs, "tuning: times that each example is learnt, unless train.steps is set").at_least(0);
  f.add("packed", packed, "tuning: several examples in a row, each by itself");
  f.add("learn", learn,
        "tuning without an adapter: what learns, by whole names of paths (bias: BitFit; blocks.11); unset: "
        "all");
  f.add("embedding_noise", embedding_noise, "task sft: NEFTune's alpha, 5 to 15; 0: none").range(0, 1e3);
  f.add("label_smoothing", label_smoothing,
        "task sft: what other tokens than the right one share, some 0.1; not of models that cap logits")
      .range(0, 0.999);
  f.group("adapter", adapter);
  f.group("distill", distill);
  f.group("preference", preference);
  f.group("kto", kto);
  f.group("reward", reward);
  f.group("rollout", rollout);
  f.group("rewards", rewards);
  f.group("grpo", grpo);
  f.group("ppo", ppo);
  f.group("rows", rows);
  f.group("classify", classify);
  f.group("embed", embed);
}

Result<void> TuneConfig::finish(const Fields& loaded) {
  for (const auto& [key, value] : {std::pair{"from", &from}, {"examples", &examples}}) {
    if (!value->empty()) continue;
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{} is not set ({})", key, loaded.find(key)->help()),
                      fmt::format("add it to the config file or use --set {}=...", key));
  }
  const TuningTask& usual = task_of(task);
  if (usual.begin_with_rows != nullptr) {
    QUERN_CHECK(refuse_settings(loaded, usual.name, {"adapter.", "packed", "embedding_noise"}));
    adapter.method = AdapterConfig::Method::none;
  }
  const bool whole = adapter.method == AdapterConfig::Method::none;
  if (!learn.empty() && !whole) {
    return make_error(ErrorCode::invalid_argument, "learn is of runs without an adapter",
                      "add adapter.method: none, or say adapter.targets");
  }
  if (load_in_4bit && whole) {
    return make_error(ErrorCode::invalid_argument, "load_in_4bit is of runs with an adapter",
                      "weights that learn are f32: say adapter.method: lora");
  }
  for (const auto& [key, value] :
       {std::pair{"embedding_noise", embedding_noise}, {"label_smoothing", label_smoothing}}) {
    if (value == 0.0 || task == TrainTask::sft) continue;
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{} is of task sft, and the task is {}", key, usual.name));
  }
  QUERN_CHECK(adapter.check_method(loaded));
  if (adapter.has_virtual_tokens() && !usual.learns_virtual_tokens) {
    return make_error(ErrorCode::unsupported,
                      fmt::format("task {} does not learn virtual tokens", usual.name),
                      "sft, dpo, orpo, simpo and kto do; or say adapter.method: lora");
  }
  if (adapter.method == AdapterConfig::Method::bottleneck && !usual.learns_bottlenecks) {
    return make_error(ErrorCode::unsupported, fmt::format("task {} does not learn bottlenecks", usual.name),
                      "its values and scores are learnt beside a LoRA: say adapter.method: lora");
  }
  if (!adapter.from.empty()) QUERN_CHECK(adapter.check_from(whole || usual.scores, loaded));
  // What PEFT and TRL begin with.
  if (!loaded.is_set("train.lr")) {
    // Virtual tokens are few and as large as embeddings: they learn faster than matrices (arXiv 2104.08691).
    const double faster = !adapter.has_virtual_tokens()       ? 1.0
                          : adapter.settings.tokens.projected ? 5.0
                                                              : 100.0;
    train.schedule.lr = whole ? usual.model_lr : faster * usual.adapter_lr;
  }
  if (!loaded.is_set("train.batch")) train.batch = "16";
  if (!loaded.is_set("train.sequence")) train.sequence = "1024";
  if (!loaded.is_set("train.weight_decay")) train.optimizer.weight_decay = 0.0;
  if (!loaded.is_set("train.beta2")) train.optimizer.beta2 = 0.999;
  if (!loaded.is_set("train.steps")) train.steps = 0;  // epochs decide
  adapter.settings.base = from;
  const auto of_adapter = [](const Field& field) {
    return field.key().starts_with("adapter.") && !field.origin().empty();
  };
  chosen = {.adapter = std::ranges::any_of(loaded.all(), of_adapter),
            .learning_rate = loaded.is_set("train.lr"),
            .sequence = loaded.is_set("train.sequence")};
  if (usual.finish != nullptr) QUERN_CHECK(usual.finish(*this, loaded));
  return train.finish();
}

Result<void> TuneConfig::take_kind() {
  if (task_of(task).begin_with_pairs == nullptr) return {};
  QUERN_TRY(const model::ModelConfig model, model::load_config(from));
  reads_pairs = model.kind == model::Kind::encoder_decoder;
  if (!reads_pairs) {
    if (rows.rename.empty() && rows.validation == 0.0) return {};
    return make_error(ErrorCode::invalid_argument,
                      "rows.* is of encoder-decoders here, and the model goes on from a text",
                      "'quern data prepare' makes its examples, and has rename and validation");
  }
  if (!chosen.adapter) adapter.method = AdapterConfig::Method::none;
  if (!chosen.learning_rate) train.schedule.lr = 1e-4;  // AdamW's for T5
  return {};
}

Result<train::TrainSummary> tune(TuneConfig config, const TrainHow& how) {
  QUERN_CHECK(config.take_kind());
  QUERN_TRY(const FolderLock lock, FolderLock::acquire(config.out));
  QUERN_CHECK(refuse_to_overwrite(config.out, how));
  const TuningTask& task = task_of(config.task);
  if (task.begin_with_rows != nullptr || config.reads_pairs) return tune_by_rows(config, how);
  if (!config.adapter.from.empty()) QUERN_CHECK(config.adapter.take_settings());
  // Answers are given without dropout, and the ratio of probabilities is that of one model.
  if (task.has_prompts()) config.adapter.settings.dropout = 0.0;
  const int64_t batch = config.train.batch_sizes.max();
  std::optional<train::Examples> data;
  std::optional<align::PromptSets> prompts;
  if (!task.has_prompts()) {
    QUERN_TRY(data, open_examples(config));
  }
  QUERN_TRY(const TunedModel model, open_tuned(config));
  if (task.has_prompts()) {
    QUERN_TRY(prompts, open_prompts(config, *model.loaded));
  }
  const int64_t per_epoch = data ? data->train.steps_per_epoch(batch)
                                 : (prompts->train.size() + batch - 1) / batch * task.updates(config);
  QUERN_CHECK(set_steps(config, per_epoch));
  const std::string key = fmt::format("{:016x}", data ? data->train.dataset().key() : prompts->train.key());
  if (data) {
    log::info("train", "{} examples, {} targets, {} steps an epoch", data->train.example_count(),
              data->train.target_count(), per_epoch);
  } else {
    log::info("train", "{} prompts, {} steps an epoch", prompts->train.size(), per_epoch);
  }
  if (how.say) {
    how.say(data ? "What is learnt of the first example:\n" +
                       first_example(data->train.dataset(), model.loaded->tokenizer)
                 : "The first prompt:\n" + prompts->train[0].text);
  }
  QUERN_TRY(Tuning tuning, data ? learn_examples(config, model, *std::move(data))
                                : task.begin_with_prompts(config, model, *std::move(prompts)));
  log::info("train", "{} of {} parameters learn",
            human_count(static_cast<double>(nn::parameter_count(tuning.trainee->parameters()))),
            human_count(static_cast<double>(nn::parameter_count(model.model()))));
  SaveExtras save_extras;
  if (!model.adapter) save_extras = [&](const fs::path& to) { return model.loaded->tokenizer.save(to); };
  return run(config, how, std::move(tuning), std::move(save_extras), key);
}

}  // namespace quern::recipes
