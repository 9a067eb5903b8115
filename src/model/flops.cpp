#include "model/flops.h"

#include <algorithm>
#include <cmath>

namespace quern::model {

bool in_product(const Decoder& model, const std::string& name, const nn::Parameter& parameter) {
  if (!parameter.is_matrix() || name == "position.weight" || name == "relative.weight") return false;
  return name != "embedding.weight" || model.config().tied_embeddings;
}

int64_t product_parameters(const Decoder& model) {
  int64_t count = 0;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& parameter) {
    if (in_product(model, name, parameter)) count += parameter.shape().numel();
  });
  return count;
}

double active_share(const Decoder& model, const std::string& name) {
  const ModelConfig& c = model.config();
  if (name.find(".mlp.experts.") == name.npos) return 1.0;
  return static_cast<double>(c.experts_per_token) / static_cast<double>(c.experts);
}

int64_t active_product_parameters(const Decoder& model) {
  double count = 0.0;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& parameter) {
    if (in_product(model, name, parameter))
      count += active_share(model, name) * static_cast<double>(parameter.shape().numel());
  });
  return std::llround(count);
}

namespace {

// Keys that the queries at positions [0, count) see together: 1 + 2 + ..., at most `window` each.
double keys_seen(int64_t count, int64_t window) {
  const auto full = static_cast<double>(window > 0 ? std::min(count, window) : count);
  return full * (full + 1.0) / 2.0 + (static_cast<double>(count) - full) * static_cast<double>(window);
}

}  // namespace

double forward_flops(const Decoder& model, int64_t first, int64_t count, int64_t logit_rows) {
  const ModelConfig& c = model.config();
  const int64_t head = c.vocab_size * c.embedding_size;
  const double products =
      static_cast<double>(active_product_parameters(model) - head) * static_cast<double>(count) +
      static_cast<double>(head) * static_cast<double>(logit_rows);
  double keys = 0.0;
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    const int64_t window = c.window_of(layer);
    keys += keys_seen(first + count, window) - keys_seen(first, window);
  }
  return 2.0 * products + 4.0 * static_cast<double>(c.heads * c.head_dim) * keys;
}

double training_flops_per_token(const Decoder& model, int64_t sequence) {
  return 3.0 * forward_flops(model, 0, sequence, sequence) / static_cast<double>(sequence);
}

}  // namespace quern::model
