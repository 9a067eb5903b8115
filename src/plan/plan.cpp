#include "plan/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "model/flops.h"

namespace quern::plan {

void PlanConfig::fields(Fields& f) {
  f.group("model", model);
  f.add("batch", batch, "training: sequences in one forward pass").at_least(1);
  f.add("sequence", sequence, "training: tokens per sequence; 0: the model's positions, at most 1024")
      .at_least(0);
  f.add("dtype", dtype, "training: of activations and matrices",
        {{"f32", DType::f32}, {"bf16", DType::bf16}, {"f16", DType::f16}});
  f.add("rank", rank, "LoRA: rank of the adapters").at_least(1);
  f.add("targets", targets, "LoRA: projections with adapters, as in q,v; empty: all");
  f.add("tokens", tokens,
        "tokens of the whole training, as in 20G; empty: the budget's, or 20 per parameter");
  f.add("sequences", sequences, "generation: sequences at once").at_least(1);
  f.add("context", context, "generation: tokens per sequence; 0: the model's positions, at most 4096")
      .at_least(0);
  f.add("flops", flops, "budget in floating-point operations, as in 1e21; 0: none").range(0, 1e40);
  f.add("days", days, "budget as days of the hardware; 0: none").range(0, 1e6);
  f.add("hardware", hardware, "its name; empty: all that are known");
  f.add("count", count, "pieces of hardware").at_least(1);
  f.add("mfu", mfu, "share of its peak that training reaches").range(0.001, 1);
  f.add("tflops", tflops, "hardware: peak in 10^12 operations per second; 0: from the table").range(0, 1e9);
  f.add("memory", memory, "hardware: memory in GB; 0: from the table").range(0, 1e9);
  f.add("bandwidth", bandwidth, "hardware: bandwidth in GB/s; 0: from the table").range(0, 1e9);
  f.add("price", price, "hardware: US dollars per hour; 0: from the table").range(0, 1e9);
}

Result<std::vector<Hardware>> PlanConfig::devices() const {
  const bool described = tflops > 0 || memory > 0 || bandwidth > 0 || price > 0;
  if (hardware.empty() && !described) {
    return std::vector<Hardware>(plan::hardware().begin(), plan::hardware().end());
  }
  Hardware device;
  if (hardware.empty()) {
    device.name = "yours";
    if (tflops == 0.0) {
      return make_error(ErrorCode::invalid_argument, "hardware: expected a name or --tflops, got neither",
                        "--hardware h100 --price 2.5 changes one figure of the table");
    }
  } else {
    QUERN_TRY(device, find_hardware(hardware));
  }
  if (tflops > 0) device.flops16 = device.flops32 = tflops * 1e12;
  if (memory > 0) device.memory = memory * 1e9;
  if (bandwidth > 0) device.bandwidth = bandwidth * 1e9;
  if (price > 0) device.price = price;
  return std::vector<Hardware>{device};
}

Result<double> PlanConfig::budget() const {
  if (days == 0.0) return flops;
  if (flops > 0.0) {
    return make_error(ErrorCode::invalid_argument, "budget: expected --flops or --days, got both");
  }
  QUERN_TRY(const std::vector<Hardware> pieces, devices());
  if (pieces.size() != 1) {
    return make_error(ErrorCode::invalid_argument, "budget: --days needs the hardware that runs so long",
                      "as in --hardware h100 --count 8 --days 3");
  }
  return static_cast<double>(count) * pieces[0].peak(dtype) * mfu * days * 86400.0;
}

std::vector<Optimum> optimal_sizes(double flops) {
  const auto named = [](std::string law, const ChinchillaLaw::Optimum& o) {
    return Optimum{std::move(law), o.parameters, o.tokens, o.loss};
  };
  return {named("20 tokens per parameter", rule_of_twenty(flops, kBesiroglu)),
          named("Besiroglu et al. 2024", kBesiroglu.optimum(flops)),
          named("Hoffmann et al. 2022, approach 3", kHoffmann.optimum(flops)),
          named("Kaplan et al. 2020, converged law", KaplanLaw{}.optimum(flops)),
          named("Kaplan et al. 2020, as advised", KaplanLaw{}.advised(flops))};
}

namespace {

// The length asked for, or as much of `usual` as the model has.
Result<int64_t> length_of(std::string_view what, int64_t asked, int64_t usual, int64_t positions) {
  if (asked > positions) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("{}: expected at most the model's {} positions, got {}", what, positions, asked),
        "--set model.max_positions=N plans a longer context");
  }
  return asked > 0 ? asked : std::min(usual, positions);
}

// Whether every number of bytes fits 64 bits, with room: estimated from above in floating point.
Result<void> check_size(const PlanConfig& config) {
  const model::ModelConfig c = config.model.resolved();
  const auto real = [](int64_t value) { return static_cast<double>(value); };
  const double width = real(c.hidden) + real(c.heads) * real(c.head_dim) + real(c.intermediate) +
                       real(c.experts) * real(c.expert_intermediate) + real(c.shared_intermediate);
  const double weights = 4.0 * real(c.layers) * real(c.hidden) * width +
                         2.0 * real(c.hidden) * (real(c.vocab_size) + real(c.max_positions));
  const double adapters = 8.0 * real(c.layers) * real(config.rank) * width;
  const double tokens = real(config.batch) * real(std::max<int64_t>(config.sequence, 1024)) +
                        real(config.sequences) * real(c.max_positions);
  const double values =
      tokens * (real(c.layers) * (16.0 * width + real(config.rank) * 8.0) + real(c.vocab_size));
  if (16.0 * (weights + adapters + values) < 0x1p62) return {};
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("the plan needs more than 2^62 bytes: {:.2g} weights, {:.2g} in adapters, "
                                "activations or caches of {:.2g} tokens",
                                weights, adapters, tokens),
                    "check the sizes for a slip of the pen");
}

Result<void> plan_training(const PlanConfig& config, const model::Decoder& model, ModelPlan& plan) {
  plan.setup = {.batch = config.batch,
                .sequence = 0,
                .dtype = config.dtype,
                .rank = config.rank,
                .targets = config.targets};
  QUERN_TRY(plan.setup.sequence, length_of("sequence", config.sequence, 1024, model.config().max_positions));
  QUERN_TRY(plan.full, training_memory(model, plan.setup, TrainingMethod::full));
  QUERN_TRY(plan.lora, training_memory(model, plan.setup, TrainingMethod::lora));
  QUERN_TRY(plan.qlora, training_memory(model, plan.setup, TrainingMethod::qlora));
  plan.training_flops_per_token = model::training_flops_per_token(model, plan.setup.sequence);
  return {};
}

Result<void> plan_generation(const PlanConfig& config, const model::Decoder& model, ModelPlan& plan) {
  const int64_t positions = model.config().max_positions;
  plan.sequences = config.sequences;
  QUERN_TRY(plan.context, length_of("context", config.context, 4096, positions));
  const int64_t caches = plan.sequences * cache_bytes(model, plan.context, kBf16);
  for (const Precision& precision : weight_precisions()) {
    const int64_t bytes = weight_bytes(model, precision);
    plan.weights.push_back({precision, bytes, step_bytes(model, precision) + caches, bytes + caches});
  }
  std::vector<int64_t> lengths{plan.context, positions};
  for (int64_t tokens = 1024; tokens < positions; tokens *= 4) lengths.push_back(tokens);
  std::ranges::sort(lengths);
  lengths.erase(std::unique(lengths.begin(), lengths.end()),
                lengths.end());  // clang 14 cannot read ranges::unique
  for (const int64_t tokens : lengths) {
    CacheRow row{tokens, {}};
    for (const Precision& precision : cache_precisions())
      row.bytes.push_back(cache_bytes(model, tokens, precision));
    plan.caches.push_back(std::move(row));
  }
  plan.prefill_flops = model::forward_flops(model, 0, plan.context, 1);
  plan.decode_flops = model::forward_flops(model, plan.context - 1, 1, 1);
  return {};
}

Result<void> choose_tokens(const PlanConfig& config, ModelPlan& plan) {
  QUERN_TRY(const double budget, config.budget());
  if (!config.tokens.empty()) {
    Result<uint64_t> tokens = parse_count(config.tokens);
    if (!tokens.ok()) return std::move(tokens.error()).within("tokens");
    if (*tokens == 0) return make_error(ErrorCode::invalid_argument, "tokens: expected at least 1, got 0");
    plan.tokens = static_cast<double>(*tokens);
    plan.tokens_from = "as asked";
  } else if (budget > 0.0) {
    plan.tokens = budget / plan.training_flops_per_token;
    plan.tokens_from = "what the budget pays for";
  } else {
    plan.tokens = kTokensPerParameter * static_cast<double>(plan.parameters.total());
    plan.tokens_from = "20 per parameter";
  }
  plan.training_flops = plan.tokens * plan.training_flops_per_token;
  const auto n = static_cast<double>(plan.parameters.total());
  const auto kaplan_n = static_cast<double>(plan.parameters.without_embeddings());
  plan.losses = {{"Besiroglu et al. 2024", kBesiroglu.loss(n, plan.tokens)},
                 {"Hoffmann et al. 2022, approach 3", kHoffmann.loss(n, plan.tokens)},
                 {"Kaplan et al. 2020, converged law", KaplanLaw{}.loss(kaplan_n, plan.tokens)}};
  return {};
}

// The least concession under which training fits.
std::string way_to_train(const ModelPlan& plan, double memory) {
  const std::pair<std::string_view, const TrainingMemory*> methods[] = {
      {"full", &plan.full}, {"LoRA", &plan.lora}, {"QLoRA", &plan.qlora}};
  for (const auto& [name, needed] : methods) {
    if (static_cast<double>(needed->total(false)) <= memory) return std::string(name);
    if (static_cast<double>(needed->total(true)) <= memory) return std::string(name) + ", checkpointed";
  }
  return "no";
}

DevicePlan plan_device(const Hardware& device, const PlanConfig& config, const ModelPlan& plan) {
  DevicePlan answer{.device = device, .trains = "", .serves = ""};
  const auto count = static_cast<double>(config.count);
  answer.seconds = plan.training_flops / (count * device.peak(config.dtype) * config.mfu);
  answer.cost = answer.seconds / 3600.0 * count * device.price;
  if (device.memory == 0.0) return answer;
  answer.trains = way_to_train(plan, device.memory);
  answer.serves = "no";
  for (const WeightRow& row : plan.weights) {
    if (row.precision.name == kF32.name || static_cast<double>(row.context_bytes) > device.memory) continue;
    answer.serves = row.precision.name;
    answer.decode_rate =
        static_cast<double>(plan.sequences) * device.bandwidth / static_cast<double>(row.step_bytes);
    break;
  }
  return answer;
}

}  // namespace

Result<ModelPlan> plan_model(const PlanConfig& config) {
  QUERN_CHECK(config.model.validate());
  QUERN_CHECK(check_size(config));
  QUERN_TRY(const model::Decoder model, model::Decoder::create(config.model));
  QUERN_TRY(const std::vector<Hardware> devices, config.devices());
  ModelPlan plan;
  plan.config = model.config();
  plan.parameters = count_parameters(model);
  plan.product_parameters = model::product_parameters(model);
  plan.active_parameters = model::active_product_parameters(model);
  plan.count = config.count;
  plan.mfu = config.mfu;
  QUERN_CHECK(plan_training(config, model, plan));
  QUERN_CHECK(plan_generation(config, model, plan));
  QUERN_CHECK(choose_tokens(config, plan));
  for (const Hardware& device : devices) plan.devices.push_back(plan_device(device, config, plan));
  return plan;
}

}  // namespace quern::plan
