// Accelerators by name, with their published peaks.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tensor/dtype.h"

namespace quern::plan {

struct Hardware {
  std::string name;
  double flops16 = 0.0;    // per second: dense matrix products in bf16 or f16, accumulated in f32
  double flops32 = 0.0;    // per second: f32 outside tensor cores
  double memory = 0.0;     // bytes; vendors' GB are taken as 10^9
  double bandwidth = 0.0;  // bytes per second
  double price = 0.0;      // US dollars per hour; 0: unknown

  double peak(DType dtype) const { return size_of(dtype) < 4 ? flops16 : flops32; }
};

// What the prices are, for every place that prints one.
inline constexpr std::string_view kPriceLabel = "typical cloud list price, 2025";

std::span<const Hardware> hardware();
// invalid_argument names the nearest.
Result<Hardware> find_hardware(std::string_view name);

}  // namespace quern::plan
