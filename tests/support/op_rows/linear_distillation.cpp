#include "ops/linear_distillation.h"

#include <cmath>

#include "support/op_rows/op_row.h"

namespace quern::ops::rows {

namespace {

struct DistillationExtents {
  int64_t rows, channels, vocab, teacher_channels, teacher_vocab;
};

struct Caps {
  double student = 0.0, teacher = 0.0;
};

void take_magnitude(const Tensor& x) {
  if (x.dtype() == DType::f64)
    *x.data<double>() = std::fabs(*x.data<double>());
  else
    *x.data<float>() = std::fabs(*x.data<float>());
}

// h, w, targets, the teacher's h and w, weights, bias. Every fifth row is ignored, every fourth weighs nothing.
OpCase distillation_case(const char* name, const DistillationExtents& e, const DistillationOptions& options,
                         const Caps& caps = {}) {
  return {.name = name,
          .inputs =
              [=](Rng& rng, DType dtype) {
                std::vector inputs{random(rng, {e.rows, e.channels}, dtype),
                                   random(rng, {e.vocab, e.channels}, dtype, 0.5),
                                   random_ints(rng, {e.rows}, 0, static_cast<int32_t>(e.vocab)),
                                   random(rng, {e.rows, e.teacher_channels}, dtype),
                                   random(rng, {e.teacher_vocab, e.teacher_channels}, dtype, 0.5),
                                   random(rng, {e.rows}, wide_of(dtype), 0.01),
                                   random(rng, {e.vocab}, wide_of(dtype))};
                for (int64_t i = 4; i < e.rows; i += 5) inputs[2].data<int32_t>()[i] = -100;
                for (int64_t i = 3; i < e.rows; i += 4) inputs[5].sliced(i, i + 1).zero();
                // Of one sign: what cancels out in the sum would leave its rounding alone.
                for (int64_t i = 0; i < e.rows; ++i) take_magnitude(inputs[5].sliced(i, i + 1));
                return inputs;
              },
          .run =
              [=](std::span<const Tensor> in) {
                DistillationOptions with_weights = options;
                with_weights.weights = in[5];
                return linear_distillation(in[0], {in[1], in[6], caps.student}, in[3],
                                           {.weight = in[4], .softcap = caps.teacher}, in[2], with_weights)
                    .loss;
              },
          .frozen = {3, 4, 5}};
}

}  // namespace

OpRow linear_distillation_row() {
  using enum Divergence;
  const DistillationExtents e{9, 6, 13, 4, 13};
  const double flops = 2.0 * 256 * (768 + 1024) * 50257;
  return {
      .name = "linear_distillation",
      .cases = {distillation_case("forward", e, {}),
                distillation_case("forward, temperature", e, {.share = 0.3, .temperature = 2.0}),
                distillation_case("hard labels alone", e, {.share = 0.0, .temperature = 2.0}),
                distillation_case("the teacher alone", e, {.share = 1.0, .temperature = 1.5}),
                distillation_case("reverse", e, {.temperature = 0.7, .divergence = reverse_kl}),
                distillation_case("Jensen-Shannon", e, {.temperature = 2.0, .divergence = jensen_shannon}),
                distillation_case("Jensen-Shannon, near the teacher", e,
                                  {.share = 0.9, .divergence = jensen_shannon, .beta = 0.1}),
                distillation_case("softcaps", e, {.temperature = 2.0}, {1.5, 2.5}),
                distillation_case("reverse, softcaps", e, {.divergence = reverse_kl}, {1.5, 2.5}),
                distillation_case("shorter vocabulary of the teacher", {9, 6, 13, 4, 10},
                                  {.temperature = 2.0}),
                distillation_case("longer one", {9, 6, 10, 4, 13}, {.divergence = reverse_kl}),
                distillation_case("chunks", {11, 6, 13, 4, 13}, {.chunk_rows = 3}),
                distillation_case("one class", {3, 4, 1, 4, 1}, {}),
                distillation_case("odd vocabulary", {9, 17, 333, 5, 333}, {.temperature = 2.0})},
      .benches = {{distillation_case("256 rows, GPT-2", {256, 768, 50257, 1024, 50257}, {.temperature = 2.0}),
                   flops, 2.0 * 2.0 * 256 * 768 * 50257}}};
}

}  // namespace quern::ops::rows
