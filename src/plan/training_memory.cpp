#include "plan/training_memory.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/nearest.h"

namespace quern::plan {

namespace {

constexpr int64_t kWideBytes = 4;

// "blocks.3.attention.q.weight" -> "q"; empty for what is no matrix of a block.
std::string projection_of(const std::string& name, const nn::Parameter& parameter) {
  if (!name.starts_with("blocks.") || !parameter.is_matrix()) return {};
  const size_t end = name.rfind('.');
  const size_t begin = name.rfind('.', end - 1) + 1;
  return name.substr(begin, end - begin);
}

Result<std::set<std::string>> adapted_projections(const model::Decoder& model, const TrainingSetup& setup) {
  std::set<std::string> known;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& parameter) {
    if (const std::string projection = projection_of(name, parameter); !projection.empty())
      known.insert(projection);
  });
  for (const std::string& target : setup.targets) {
    if (known.contains(target)) continue;
    std::string hint = suggestion(target, std::vector<std::string>(known.begin(), known.end()));
    if (hint.empty()) hint = "leave the targets empty for all of them";
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("adapter targets: expected some of {}, got '{}'", fmt::join(known, ", "), target), hint);
  }
  if (setup.targets.empty()) return known;
  return std::set<std::string>(setup.targets.begin(), setup.targets.end());
}

void add_full(const model::Decoder& model, const TrainingSetup& setup, TrainingMemory& memory) {
  const int64_t size = size_of(setup.dtype);
  nn::visit(model, [&](const std::string&, const nn::Parameter& parameter) {
    const int64_t count = parameter.shape().numel();
    memory.trainable += count;
    if (size < kWideBytes && parameter.is_matrix()) memory.copies += count * size;
  });
  memory.weights = memory.gradients = memory.trainable * kWideBytes;
  memory.moments = 2 * memory.trainable * kWideBytes;
  memory.workspace = model.config().vocab_size * model.config().embedding_size * kWideBytes;
}

// Adapters A [r, in] and B [out, r] beside each target; what they add to the activations is A·x.
void add_adapters(const model::Decoder& model, const TrainingSetup& setup,
                  const std::set<std::string>& targets, bool four_bit, TrainingMemory& memory) {
  const int64_t size = size_of(setup.dtype);
  int64_t largest = 0, outputs = 0;
  double frozen_bits = 0.0;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& parameter) {
    const std::string projection = projection_of(name, parameter);
    const int64_t count = parameter.shape().numel();
    const bool quantised = four_bit && !projection.empty();
    const int64_t plain_bits = 8 * (parameter.is_matrix() ? size : kWideBytes);
    frozen_bits += static_cast<double>(count) * (quantised ? kNf4Bits : static_cast<double>(plain_bits));
    if (quantised) largest = std::max(largest, count * size);
    if (projection.empty() || !targets.contains(projection)) return;
    memory.trainable += setup.rank * (parameter.shape()[0] + parameter.shape()[1]);
    outputs += setup.rank;
  });
  memory.weights = static_cast<int64_t>(std::ceil(frozen_bits / 8.0)) + memory.trainable * kWideBytes;
  memory.copies = size < kWideBytes ? memory.trainable * size : 0;
  memory.gradients = memory.trainable * kWideBytes;
  memory.moments = 2 * memory.trainable * kWideBytes;
  memory.workspace = largest;
  const int64_t added = setup.batch * setup.sequence * outputs * size;
  memory.activations += added;
  memory.checkpointed_activations += added / model.config().layers;
}

}  // namespace

Result<TrainingMemory> training_memory(const model::Decoder& model, const TrainingSetup& setup,
                                       TrainingMethod method) {
  const ActivationMemory activations =
      activation_memory(model.config(), setup.batch, setup.sequence, setup.dtype);
  TrainingMemory memory;
  memory.activations = activations.peak(false);
  memory.checkpointed_activations = activations.peak(true);
  if (method == TrainingMethod::full) {
    add_full(model, setup, memory);
    return memory;
  }
  QUERN_TRY(const std::set<std::string> targets, adapted_projections(model, setup));
  add_adapters(model, setup, targets, method == TrainingMethod::qlora, memory);
  return memory;
}

}  // namespace quern::plan
