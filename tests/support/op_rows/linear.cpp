#include "ops/linear.h"

#include "support/op_rows/op_row.h"

namespace quern::ops::rows {

namespace {

enum class Bias { no, yes };
enum class Weight { like_input, bf16, f16 };

DType weight_dtype(Weight weight, DType dtype) {
  if (dtype == DType::f64 || weight == Weight::like_input) return dtype;
  return weight == Weight::bf16 ? DType::bf16 : DType::f16;
}

OpCase linear_case(const char* name, const Shape& x, int64_t n, Bias bias = Bias::no,
                   Weight weight = Weight::like_input) {
  return {
      .name = name,
      .inputs =
          [=](Rng& rng, DType dtype) {
            std::vector inputs{random(rng, x, dtype),
                               random(rng, {n, x[-1]}, weight_dtype(weight, dtype), 0.3)};
            if (bias == Bias::yes) inputs.push_back(random(rng, {n}, wide_of(dtype)));
            return inputs;
          },
      .run =
          [](std::span<const Tensor> in) { return linear(in[0], in[1], in.size() > 2 ? in[2] : Tensor()); }};
}

OpBench bench(const char* name, int64_t m, int64_t n, int64_t k) {
  const double flops = 2.0 * static_cast<double>(m * n * k);
  return {linear_case(name, {m, k}, n), flops, 2.0 * flops};
}

}  // namespace

OpRow linear_row() {
  return {
      .name = "linear",
      .cases = {linear_case("bias", {2, 3, 5}, 7, Bias::yes), linear_case("one by one", {1, 1}, 1, Bias::yes),
                linear_case("one row", {1, 4}, 3), linear_case("a vector", {19}, 5, Bias::yes),
                linear_case("odd sizes", {33, 37}, 19, Bias::yes),
                linear_case("bf16 weight", {5, 33}, 17, Bias::yes, Weight::bf16),
                linear_case("f16 weight", {20, 33}, 17, Bias::no, Weight::f16),
                linear_case("several tiles", {70, 130}, 97, Bias::yes)},
      .benches = {bench("m256 n3072 k768", 256, 3072, 768), bench("m256 n768 k3072", 256, 768, 3072),
                  bench("m1 n3072 k768", 1, 3072, 768), bench("m8 n3072 k768", 8, 3072, 768)}};
}

}  // namespace quern::ops::rows
