#include "nn/module.h"

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

Tensor first_value(const std::string& name, const Parameter& parameter, uint64_t seed, DType dtype) {
  const Init& init = parameter.init();
  if (init.std == 0.0) return Tensor::full(parameter.shape(), init.mean, dtype);
  Tensor value(parameter.shape(), dtype);
  // Element i uses words 2i and 2i+1 of the stream (Rng::normal draws two), so pieces can start anywhere.
  visit_float(dtype, [&]<class T>() {
    T* out = value.data<T>();
    parallel_for(value.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
      Rng rng(seed, stream_of(name), 2 * static_cast<uint64_t>(begin));
      for (int64_t i = begin; i < end; ++i)
        out[i] = T(static_cast<float>(init.mean + init.std * rng.normal()));
    });
  });
  return value;
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
