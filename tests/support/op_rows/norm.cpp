#include "ops/norm.h"

#include "support/op_rows/op_row.h"

namespace quern::ops::rows {

namespace {

enum class Affine { none, weight, weight_and_bias };

OpCase norm_case(const char* name, NormKind kind, const Shape& x, Affine affine, double offset = 0.0) {
  return {.name = name,
          .inputs =
              [=](Rng& rng, DType dtype) {
                std::vector inputs{random(rng, x, dtype)};
                if (affine != Affine::none) inputs.push_back(random(rng, {x[-1]}, wide_of(dtype)));
                if (affine == Affine::weight_and_bias) inputs.push_back(random(rng, {x[-1]}, wide_of(dtype)));
                return inputs;
              },
          .run =
              [=](std::span<const Tensor> in) {
                return norm(kind, in[0], in.size() > 1 ? in[1] : Tensor(), in.size() > 2 ? in[2] : Tensor(),
                            1e-5, offset);
              }};
}

}  // namespace

OpRow norm_row() {
  return {
      .name = "norm",
      .cases = {norm_case("layer", NormKind::layer, {2, 3, 37}, Affine::weight_and_bias),
                norm_case("layer without bias", NormKind::layer, {5, 16}, Affine::weight),
                norm_case("layer, bare", NormKind::layer, {4, 9}, Affine::none),
                norm_case("rms", NormKind::rms, {2, 3, 37}, Affine::weight),
                norm_case("rms, 1 + weight", NormKind::rms, {5, 33}, Affine::weight, 1.0),
                norm_case("rms, bare", NormKind::rms, {4, 9}, Affine::none),
                norm_case("rms of two columns", NormKind::rms, {3, 2}, Affine::weight),
                norm_case("one row", NormKind::layer, {130}, Affine::weight_and_bias)},
      .benches = {{norm_case("layer 2048x768", NormKind::layer, {2048, 768}, Affine::weight_and_bias), 0, 0},
                  {norm_case("rms 2048x768", NormKind::rms, {2048, 768}, Affine::weight), 0, 0}}};
}

}  // namespace quern::ops::rows
