// Tensors of normal deviates for tests.
#pragma once

#include "base/rng.h"
#include "tensor/tensor.h"

namespace quern::test {

// The same for the same seed.
inline Tensor normal_tensor(const Shape& shape, uint64_t seed, DType dtype = DType::f32) {
  Tensor tensor(shape, DType::f32);
  Rng rng(seed, 3);
  for (float& value : tensor.span<float>()) value = static_cast<float>(rng.normal());
  return tensor.to(dtype);
}

}  // namespace quern::test
