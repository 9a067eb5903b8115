#include "plan/report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text_table.h"
#include "base/units.h"

namespace quern::plan {

namespace {

std::string count_text(int64_t count) { return human_count(static_cast<double>(count)); }
std::string bytes_text(int64_t bytes) { return human_bytes(static_cast<uint64_t>(bytes)); }

// 1234567 -> "1,234,567"
std::string exact(int64_t count) {
  std::string text = std::to_string(count);
  for (auto at = static_cast<int64_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<size_t>(at), ",");
  return text;
}

std::string parameters_section(const ModelPlan& plan) {
  const ParameterCount& p = plan.parameters;
  TextTable table({"", ">", ">"});
  const auto add = [&](std::string name, int64_t count) {
    if (count == 0) return;
    table.add({std::move(name), exact(count),
               fmt::format("{:.1f} %", 100.0 * static_cast<double>(count) / static_cast<double>(p.total()))});
  };
  add("token embedding", p.embedding);
  add("positions", p.positions);
  add("attention", p.attention);
  add("MLP", p.mlp);
  add("norms", p.norms);
  add("head", p.head);
  add("total", p.total());
  add("without embeddings", p.without_embeddings());
  add("in matrix products", plan.product_parameters);
  if (plan.active_parameters != plan.product_parameters) add("met by one token", plan.active_parameters);
  const model::ModelConfig& c = plan.config;
  return fmt::format(
      "Model: {}, {} layers of {}, {} heads ({} for keys and values), MLP {}, {} tokens, {} "
      "positions\n\nParameters{}\n{}",
      c.family, c.layers, c.hidden, c.heads, c.kv_heads, c.intermediate, exact(c.vocab_size),
      exact(c.max_positions), c.tied_embeddings ? " (the head is the token embedding)" : "",
      table.to_string(2));
}

std::string training_memory_section(const ModelPlan& plan) {
  TextTable table({"", ">full", ">LoRA", ">QLoRA"});
  const auto row = [&](std::string name, auto member) {
    table.add({std::move(name), member(plan.full), member(plan.lora), member(plan.qlora)});
  };
  using Memory = TrainingMemory;
  row("trainable parameters", [](const Memory& m) { return count_text(m.trainable); });
  row("weights", [](const Memory& m) { return bytes_text(m.weights); });
  row("16-bit copies", [](const Memory& m) { return bytes_text(m.copies); });
  row("gradients", [](const Memory& m) { return bytes_text(m.gradients); });
  row("moments", [](const Memory& m) { return bytes_text(m.moments); });
  row("workspace", [](const Memory& m) { return bytes_text(m.workspace); });
  row("activations", [](const Memory& m) { return bytes_text(m.activations); });
  row("total", [](const Memory& m) { return bytes_text(m.total(false)); });
  row("activations, checkpointed", [](const Memory& m) { return bytes_text(m.checkpointed_activations); });
  row("total, checkpointed", [](const Memory& m) { return bytes_text(m.total(true)); });
  return fmt::format("\nTraining memory (batch {}, sequence {}, {}, rank {})\n{}", plan.setup.batch,
                     exact(plan.setup.sequence), quern::name_of(plan.setup.dtype), plan.setup.rank,
                     table.to_string(2));
}

std::string generation_section(const ModelPlan& plan) {
  TextTable weights({"weights", ">bits", ">size", ">with caches", ">read per step"});
  for (const WeightRow& row : plan.weights) {
    weights.add({std::string(row.precision.name), fmt::format("{:.4g}", row.precision.bits()),
                 bytes_text(row.bytes), bytes_text(row.context_bytes), bytes_text(row.step_bytes)});
  }
  std::vector<std::string> headers{">KV cache, tokens"};
  for (const Precision& precision : cache_precisions()) headers.push_back(">" + std::string(precision.name));
  TextTable caches(headers);
  for (const CacheRow& row : plan.caches) {
    std::vector<std::string> cells{exact(row.tokens)};
    for (const int64_t bytes : row.bytes) cells.push_back(bytes_text(bytes));
    caches.add(std::move(cells));
  }
  return fmt::format("\nMemory of generation ({} of {} tokens, bf16 cache)\n{}\n{}",
                     plan.sequences == 1 ? "one sequence" : fmt::format("{} sequences", plan.sequences),
                     exact(plan.context), weights.to_string(2), caches.to_string(2));
}

std::string flops_section(const ModelPlan& plan) {
  TextTable table({"", ">"});
  table.add({"training, per token", human_count(plan.training_flops_per_token)});
  table.add({fmt::format("prefill of {} tokens", exact(plan.context)), human_count(plan.prefill_flops)});
  table.add({fmt::format("decode token {}", exact(plan.context)), human_count(plan.decode_flops)});
  table.add({fmt::format("training on {} tokens ({})", human_count(plan.tokens), plan.tokens_from),
             fmt::format("{:.3g}", plan.training_flops)});
  TextTable losses({"predicted loss after that (nats per token of the paper's text)", ">"});
  for (const PredictedLoss& loss : plan.losses) losses.add({loss.law, fmt::format("{:.2f}", loss.loss)});
  return "\nFloating-point operations\n" + table.to_string(2) + "\n" + losses.to_string(2);
}

std::string rate_text(double tokens_per_second) {
  if (tokens_per_second == 0.0) return "-";
  return tokens_per_second < 999.5 ? fmt::format("{:.3g}", tokens_per_second)
                                   : human_count(tokens_per_second);
}

std::string dollars(double cost) {
  return cost < 999.5 ? fmt::format("${:.2f}", cost) : "$" + human_count(cost);
}

std::string devices_section(const ModelPlan& plan) {
  TextTable table({"hardware", ">16-bit TFLOP/s", ">f32", ">GB", ">TB/s", ">$/h", ">training", ">cost",
                   "trains on one", "serves on one", ">tok/s at most"});
  for (const DevicePlan& d : plan.devices) {
    const Hardware& h = d.device;
    table.add({fmt::format("{} x {}", plan.count, h.name), fmt::format("{:.4g}", h.flops16 / 1e12),
               fmt::format("{:.3g}", h.flops32 / 1e12),
               h.memory > 0 ? fmt::format("{:.4g}", h.memory / 1e9) : "?",
               h.bandwidth > 0 ? fmt::format("{:.3g}", h.bandwidth / 1e12) : "?",
               h.price > 0 ? fmt::format("{:.2f}", h.price) : "?", human_duration(d.seconds),
               d.cost > 0 ? dollars(d.cost) : "?", d.trains.empty() ? "?" : d.trains,
               d.serves.empty() ? "?" : d.serves, rate_text(d.decode_rate)});
  }
  return fmt::format("\nTime and cost (MFU {:.0f} %, {}; $/h: {})\n{}", 100.0 * plan.mfu,
                     quern::name_of(plan.setup.dtype), kPriceLabel, table.to_string(2));
}

nlohmann::ordered_json to_json(const TrainingMemory& m) {
  return {{"trainable_parameters", m.trainable},
          {"weights_bytes", m.weights},
          {"copies_bytes", m.copies},
          {"gradients_bytes", m.gradients},
          {"moments_bytes", m.moments},
          {"workspace_bytes", m.workspace},
          {"activations_bytes", m.activations},
          {"checkpointed_activations_bytes", m.checkpointed_activations},
          {"total_bytes", m.total(false)},
          {"checkpointed_total_bytes", m.total(true)}};
}

nlohmann::ordered_json to_json(const DevicePlan& d) {
  return {{"name", d.device.name},
          {"flops_16bit", d.device.flops16},
          {"flops_f32", d.device.flops32},
          {"memory_bytes", d.device.memory},
          {"bandwidth_bytes_per_second", d.device.bandwidth},
          {"dollars_per_hour", d.device.price},
          {"training_seconds", d.seconds},
          {"training_dollars", d.cost},
          {"trains", d.trains},
          {"serves", d.serves},
          {"decode_tokens_per_second", d.decode_rate}};
}

nlohmann::ordered_json generation_json(const ModelPlan& plan) {
  nlohmann::ordered_json weights, caches = nlohmann::ordered_json::array();
  for (const WeightRow& row : plan.weights) {
    weights[std::string(row.precision.name)] = {{"bits_per_weight", row.precision.bits()},
                                                {"bytes", row.bytes},
                                                {"bytes_with_caches", row.context_bytes},
                                                {"bytes_read_per_step", row.step_bytes}};
  }
  for (const CacheRow& row : plan.caches) {
    nlohmann::ordered_json cache{{"tokens", row.tokens}};
    for (size_t i = 0; i < row.bytes.size(); ++i)
      cache[std::string(cache_precisions()[i].name) + "_bytes"] = row.bytes[i];
    caches.push_back(std::move(cache));
  }
  return {
      {"sequences", plan.sequences}, {"context", plan.context}, {"weights", weights}, {"kv_cache", caches}};
}

}  // namespace

std::string to_text(const ModelPlan& plan) {
  return parameters_section(plan) + training_memory_section(plan) + generation_section(plan) +
         flops_section(plan) + devices_section(plan);
}

nlohmann::ordered_json to_json(const ModelPlan& plan) {
  const ParameterCount& p = plan.parameters;
  nlohmann::ordered_json losses, devices = nlohmann::ordered_json::array();
  for (const PredictedLoss& loss : plan.losses) losses[loss.law] = loss.loss;
  for (const DevicePlan& device : plan.devices) devices.push_back(to_json(device));
  return {{"parameters",
           {{"total", p.total()},
            {"embedding", p.embedding},
            {"positions", p.positions},
            {"attention", p.attention},
            {"mlp", p.mlp},
            {"norms", p.norms},
            {"head", p.head},
            {"without_embeddings", p.without_embeddings()},
            {"in_matrix_products", plan.product_parameters},
            {"met_by_one_token", plan.active_parameters}}},
          {"training",
           {{"batch", plan.setup.batch},
            {"sequence", plan.setup.sequence},
            {"dtype", quern::name_of(plan.setup.dtype)},
            {"rank", plan.setup.rank},
            {"full", to_json(plan.full)},
            {"lora", to_json(plan.lora)},
            {"qlora", to_json(plan.qlora)},
            {"flops_per_token", plan.training_flops_per_token},
            {"tokens", plan.tokens},
            {"flops", plan.training_flops},
            {"predicted_loss", losses}}},
          {"generation", generation_json(plan)},
          {"prefill_flops", plan.prefill_flops},
          {"decode_flops", plan.decode_flops},
          {"count", plan.count},
          {"mfu", plan.mfu},
          {"hardware", devices}};
}

std::string budget_text(double flops, std::span<const Optimum> sizes) {
  TextTable table({"law", ">parameters", ">tokens", ">tokens/parameter", ">loss"});
  for (const Optimum& o : sizes) {
    table.add({o.law, human_count(o.parameters), human_count(o.tokens),
               fmt::format("{:.3g}", o.tokens / o.parameters), fmt::format("{:.2f}", o.loss)});
  }
  return fmt::format(
      "Compute-optimal sizes for {:.3g} FLOPs\n{}\n"
      "  The laws were fitted to different runs. Kaplan et al. stopped runs before their learning rate had\n"
      "  decayed and left embeddings out of N, and so advise larger models on less text. The constants "
      "printed\n"
      "  by Hoffmann et al. for approach 3 contradict their own approaches 1 and 2; the refit by Besiroglu "
      "et\n"
      "  al. agrees with those, at about 20 tokens per parameter. A model that will serve many users pays "
      "for\n"
      "  being smaller and trained longer than any of these.\n",
      flops, table.to_string(2));
}

nlohmann::ordered_json budget_json(double flops, std::span<const Optimum> sizes) {
  nlohmann::ordered_json optima = nlohmann::ordered_json::array();
  for (const Optimum& o : sizes) {
    optima.push_back({{"law", o.law}, {"parameters", o.parameters}, {"tokens", o.tokens}, {"loss", o.loss}});
  }
  return {{"flops", flops}, {"optimal", optima}};
}

std::string fit_text(const Fit& fit, std::span<const NamedRun> runs, std::span<const double> budgets) {
  const ChinchillaLaw& law = fit.law;
  std::string text = fmt::format("L(N, D) = {:.4g} + {:.4g} / N^{:.4g} + {:.4g} / D^{:.4g}\n\n", law.e, law.a,
                                 law.alpha, law.b, law.beta);
  TextTable rows({"run", ">parameters", ">tokens", ">loss", ">law", ">difference"});
  for (const auto& [name, run] : runs) {
    const double predicted = law.loss(run.parameters, run.tokens);
    rows.add({name, human_count(run.parameters), human_count(run.tokens), fmt::format("{:.4f}", run.loss),
              fmt::format("{:.4f}", predicted), fmt::format("{:+.4f}", run.loss - predicted)});
  }
  TextTable optima({">FLOPs", ">parameters", ">tokens", ">tokens/parameter", ">loss"});
  for (const double flops : budgets) {
    const auto o = law.optimum(flops);
    optima.add({fmt::format("{:.3g}", flops), human_count(o.parameters), human_count(o.tokens),
                fmt::format("{:.3g}", o.tokens / o.parameters), fmt::format("{:.3f}", o.loss)});
  }
  return text + rows.to_string(2) +
         fmt::format(
             "\nLargest difference {:.4f} nats. Optimum of this law (beyond the runs it extrapolates):\n",
             fit.max_error) +
         optima.to_string(2);
}

nlohmann::ordered_json fit_json(const Fit& fit, std::span<const NamedRun> runs,
                                std::span<const double> budgets) {
  const ChinchillaLaw& law = fit.law;
  nlohmann::ordered_json rows = nlohmann::ordered_json::array(), optima = nlohmann::ordered_json::array();
  for (const auto& [name, run] : runs) {
    rows.push_back({{"run", name},
                    {"parameters", run.parameters},
                    {"tokens", run.tokens},
                    {"loss", run.loss},
                    {"predicted", law.loss(run.parameters, run.tokens)}});
  }
  for (const double flops : budgets) {
    const auto o = law.optimum(flops);
    optima.push_back(
        {{"flops", flops}, {"parameters", o.parameters}, {"tokens", o.tokens}, {"loss", o.loss}});
  }
  return {{"E", law.e},
          {"A", law.a},
          {"B", law.b},
          {"alpha", law.alpha},
          {"beta", law.beta},
          {"mean_huber", fit.huber},
          {"max_error", fit.max_error},
          {"runs", rows},
          {"optimal", optima}};
}

}  // namespace quern::plan
