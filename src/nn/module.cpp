#include "nn/module.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "autograd/graph.h"
#include "base/rng.h"
#include "base/threads.h"

namespace quern::nn {

namespace {

// FNV-1a (Fowler, Noll, Vo): the random stream of a parameter.
uint64_t stream_of(const std::string& name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

// Standard normals 4 * block to 4 * block + 3 of a stream: Box-Muller on the four words of one Philox block.
std::array<float, 4> normals(uint64_t seed, uint64_t stream, uint64_t block) {
  const auto word = [](uint64_t value, int shift) { return static_cast<uint32_t>(value >> shift); };
  const auto bits = philox4x32({word(block, 0), word(block, 32), word(stream, 0), word(stream, 32)},
                               {word(seed, 0), word(seed, 32)});
  std::array<float, 4> result;
  for (size_t pair = 0; pair < 4; pair += 2) {
    const float uniform =
        (static_cast<float>(bits[pair]) + 1.0f) * 0x1.0p-32f;  // (0, 1]: the logarithm stays finite
    const float angle = static_cast<float>(bits[pair + 1]) * (0x1.0p-31f * std::numbers::pi_v<float>);
    const float radius = std::sqrt(-2.0f * std::log(uniform));
    result[pair] = radius * std::cos(angle);
    result[pair + 1] = radius * std::sin(angle);
  }
  return result;
}

Tensor first_value(const std::string& name, const Parameter& parameter, uint64_t seed, DType dtype) {
  const Init init = parameter.init();
  if (init.std == 0.0) return Tensor::full(parameter.shape(), init.mean, dtype);
  Tensor value(parameter.shape(), DType::f32);
  float* out = value.data<float>();
  const int64_t count = value.numel();
  parallel_for((count + 3) / 4, 1 << 12, [=, stream = stream_of(name)](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const auto four = normals(seed, stream, static_cast<uint64_t>(block));
      for (int64_t i = 4 * block; i < std::min(4 * block + 4, count); ++i) {
        out[i] = static_cast<float>(init.mean + init.std * four[static_cast<size_t>(i % 4)]);
      }
    }
  });
  return value.to(dtype);
}

}  // namespace

void visit(const Module& module, const ConstVisitor& visitor) {
  // The walk itself changes nothing; only a Visitor could, and this one sees const parameters.
  const_cast<Module&>(module).visit(
      [&](const std::string& name, Parameter& parameter) { visitor(name, parameter); });
}

int64_t parameter_count(const Module& module) {
  int64_t count = 0;
  visit(module, [&](const std::string&, const Parameter& parameter) { count += parameter.shape().numel(); });
  return count;
}

void initialise(Module& module, uint64_t seed, DType dtype) {
  module.visit([&](const std::string& name, Parameter& parameter) {
    parameter.assign(first_value(name, parameter, seed, dtype));
    parameter.set_trainable(true);
  });
}

void set_trainable(Module& module, bool trainable) {
  module.visit([&](const std::string&, Parameter& parameter) { parameter.set_trainable(trainable); });
}

void set_compute_dtype(Module& module, DType dtype) {
  module.visit([&](const std::string&, Parameter& parameter) { parameter.set_compute_dtype(dtype); });
}

void refresh_shadows(Module& module) {
  module.visit([](const std::string&, Parameter& parameter) { parameter.refresh_shadow(); });
}

void clear_grads(Module& module) {
  module.visit([](const std::string&, Parameter& parameter) {
    if (parameter.trainable()) autograd::clear_grad(parameter.master());
  });
}

}  // namespace quern::nn
