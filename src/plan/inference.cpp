#include "plan/inference.h"

#include <cmath>
#include <string>

#include "model/flops.h"

namespace quern::plan {

namespace {

constexpr Precision kWeights[] = {kF32, kBf16, kQ8_0, kQ6K, kQ4K};
constexpr Precision kCaches[] = {kF32, kBf16, kQ8_0};

int64_t bytes_of(const nn::Parameter& parameter, const Precision& precision) {
  const Shape& shape = parameter.shape();
  return parameter.is_matrix() ? precision.size(shape[0], shape[1]) : kF32.size(1, shape.numel());
}

}  // namespace

std::span<const Precision> weight_precisions() { return kWeights; }
std::span<const Precision> cache_precisions() { return kCaches; }

int64_t weight_bytes(const model::Decoder& model, const Precision& precision) {
  int64_t bytes = 0;
  nn::visit(model, [&](const std::string&, const nn::Parameter& p) { bytes += bytes_of(p, precision); });
  return bytes;
}

int64_t step_bytes(const model::Decoder& model, const Precision& precision) {
  double bytes = 0.0;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& p) {
    if (p.is_matrix() && !model::in_product(model, name, p)) return;
    bytes += model::active_share(model, name) * static_cast<double>(bytes_of(p, precision));
  });
  return std::llround(bytes);
}

int64_t cache_bytes(const model::Decoder& model, int64_t tokens, const Precision& precision) {
  return model::cache_spec(model.config(), {.capacity = tokens, .chunk = model::kPromptChunk},
                           *dtype_from_name(precision.name))
      .bytes();
}

}  // namespace quern::plan
