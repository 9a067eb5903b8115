#include "quant/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/threads.h"
#include "quant/encode.h"

namespace quern::quant {

namespace {

constexpr float kLargest = 65504.0f;  // of f16

// Calls f<Block>() for the block types that have an encoder, and returns whether it did.
template <class F>
bool visit_writable(DType dtype, F&& f) {
  return is_block(dtype) && visit_block(dtype, [&]<class Block>() {
           if constexpr (requires(const float* x, Block& block) { encode(x, x, block); }) {
             f.template operator()<Block>();
             return true;
           } else {
             return false;
           }
         });
}

template <class... Args>
Error invalid(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(ErrorCode::invalid_argument, fmt::format(format, std::forward<Args>(args)...));
}

// How many matrices are stacked in x.
int64_t matrices_of(const Tensor& x) { return x.shape().rank() > 2 ? x.dim(0) : 1; }

Result<void> check(const Tensor& x, DType dtype, std::span<const float> importance) {
  if (!can_quantize(dtype)) {
    return make_error(ErrorCode::unsupported, fmt::format("{} can be read, but not written", name_of(dtype)),
                      "choose one of Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to Q6_K, IQ4_NL, IQ4_XS, MXFP4");
  }
  const int64_t cols = x.shape().cols();
  if (cols % block_elements(dtype) != 0) {
    return invalid("expected rows of a multiple of {} elements for {}, got {}", block_elements(dtype),
                   name_of(dtype), x.describe());
  }
  const auto given = static_cast<int64_t>(importance.size());
  if (given != 0 && given != cols && given != cols * matrices_of(x)) {
    return invalid("expected an importance for each of {} columns, got {}", cols, given);
  }
  for (size_t i = 0; i < importance.size(); ++i) {
    if (!std::isfinite(importance[i]) || importance[i] < 0.0f) {
      return invalid("the importance of column {} is {}, expected a finite number of at least 0", i,
                     importance[i]);
    }
  }
  return {};
}

// Of one matrix. Columns that no activation met weigh little, not nothing: rounding must stay defined. Empty where none
// was met.
std::vector<float> floored(std::span<const float> importance) {
  std::vector<float> weights(importance.begin(), importance.end());
  const float largest = weights.empty() ? 0.0f : *std::ranges::max_element(weights);
  if (largest == 0.0f) return {};
  for (float& weight : weights) weight = std::max(weight / largest, 1e-6f);
  return weights;
}

// `elements` [rows, cols] into blocks.
void encode_rows(DType dtype, std::span<const float> elements, int64_t cols,
                 const std::vector<float>& weights, std::byte* result) {
  visit_writable(dtype, [&]<class Block>() {
    const int64_t per_row = cols / Block::kElements;
    auto* blocks = reinterpret_cast<Block*>(result);
    parallel_for(
        static_cast<int64_t>(elements.size()) / Block::kElements, 64, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            const float* w = weights.empty() ? nullptr : weights.data() + i % per_row * Block::kElements;
            encode(elements.data() + i * Block::kElements, w, blocks[i]);
          }
        });
  });
}

}  // namespace

bool can_quantize(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 ||
         visit_writable(dtype, []<class>() {});
}

Result<Tensor> quantize(const Tensor& x, DType dtype, std::span<const float> importance) {
  QUERN_CHECK(check(x, dtype, importance));
  if (!is_block(dtype)) return x.to(dtype);
  const Tensor values = x.to(DType::f32);
  const auto elements = values.span<float>();
  const auto in_range = [](float value) { return std::fabs(value) <= kLargest; };
  if (const auto bad = std::ranges::find_if_not(elements, in_range); bad != elements.end()) {
    return invalid("element {} of {} is {}, expected numbers within -{} to {}, the range of f16 scales",
                   bad - elements.begin(), x.describe(), *bad, kLargest, kLargest);
  }
  const Tensor result(x.shape(), dtype);
  const auto cols = static_cast<size_t>(x.shape().cols());
  const bool by_matrix = importance.size() > cols;
  const auto matrices = static_cast<size_t>(by_matrix ? matrices_of(x) : 1);
  for (size_t m = 0; m < matrices; ++m) {
    const size_t each = elements.size() / matrices;
    encode_rows(dtype, elements.subspan(m * each, each), static_cast<int64_t>(cols),
                floored(by_matrix ? importance.subspan(m * cols, cols) : importance),
                static_cast<std::byte*>(result.raw()) + m * static_cast<size_t>(result.bytes()) / matrices);
  }
  return result;
}

}  // namespace quern::quant
