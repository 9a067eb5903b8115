#include "ops/linear_distillation.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "base/threads.h"
#include "ops/cast.h"
#include "ops/linear_cross_entropy.h"
#include "ops/logit_rows.h"
#include "ops/op_support.h"

namespace quern::ops {

namespace {

constexpr const char* kDistillation = "linear_distillation";

double capped(double x, double softcap) { return softcap > 0.0 ? softcap * std::tanh(x / softcap) : x; }

// The softmax of some of a row's logits, and its logarithm.
struct RowDistribution {
  std::vector<double> p, log_p;

  // Of the first `count` logits, soft-capped, times `scale`.
  template <class T>
  void set(const T* logits, int64_t count, double softcap, double scale) {
    p.resize(static_cast<size_t>(count)), log_p.resize(p.size());
    double top = -HUGE_VAL, sum = 0.0;
    for (size_t c = 0; c < p.size(); ++c) {
      log_p[c] = scale * capped(static_cast<double>(logits[c]), softcap);
      top = std::max(top, log_p[c]);
    }
    for (size_t c = 0; c < p.size(); ++c) sum += p[c] = std::exp(log_p[c] - top);
    const double log_sum = top + std::log(sum);
    for (size_t c = 0; c < p.size(); ++c) p[c] /= sum, log_p[c] -= log_sum;
  }

  size_t likeliest() const { return static_cast<size_t>(std::ranges::max_element(log_p) - log_p.begin()); }
};

// What one token adds to the divergence, and q g, where g is the derivative of the divergence by its q up to a constant: by
// the logit behind q the derivative is (q g - q sum(q g)) / temperature.
struct TokenDivergence {
  double value, slope;
};

TokenDivergence divergence_of(double p, double log_p, double q, double log_q, const DistillationOptions& o) {
  const double gap = log_p - log_q;
  if (o.divergence == Divergence::forward_kl) return {p * gap, -p};
  if (o.divergence == Divergence::reverse_kl) return {-q * gap, -q * gap};
  // log(m / q), written so that it is 0 where p = q.
  const double m_by_q =
      gap > 0.0 ? gap + std::log1p((1.0 - o.beta) * std::expm1(-gap)) : std::log1p(o.beta * std::expm1(gap));
  return {o.beta * p * (gap - m_by_q) - (1.0 - o.beta) * q * m_by_q, -(1.0 - o.beta) * q * m_by_q};
}

// Rows of logits of both, and what is found of them. The logits of a student become their gradient.
struct LogitPair {
  const Tensor &student, &teacher;  // wide [n, V], [n, V']
  double softcap, teacher_softcap;
  const Tensor &targets, &weights;  // i32 [n]; wide [n], or undefined: no gradient
  const Tensor &hard, &divergence, &agrees;
};

// What a thread needs for a row.
struct RowScratch {
  RowDistribution hard, q, p;  // the student's as it is, and both at the temperature over what both have
  std::vector<double> slopes;
};

template <class T>
void distil_row(const LogitPair& pair, const DistillationOptions& o, int64_t r, RowScratch& row) {
  const int64_t vocab = pair.student.dim(1), common = std::min(vocab, pair.teacher.dim(1));
  T* const logits = pair.student.data<T>() + r * vocab;
  const double cool = 1.0 / o.temperature;
  row.hard.set(logits, vocab, pair.softcap, 1.0);
  row.p.set(pair.teacher.data<T>() + r * pair.teacher.dim(1), common, pair.teacher_softcap, cool);
  const bool same = o.temperature == 1.0 && common == vocab;
  if (!same) row.q.set(logits, common, pair.softcap, cool);
  const RowDistribution& q = same ? row.hard : row.q;
  row.slopes.resize(row.p.p.size());
  double divergence = 0.0, slopes = 0.0;
  for (size_t c = 0; c < row.slopes.size(); ++c) {
    const TokenDivergence of = divergence_of(row.p.p[c], row.p.log_p[c], q.p[c], q.log_p[c], o);
    divergence += of.value;
    slopes += row.slopes[c] = of.slope;
  }
  const auto target = static_cast<size_t>(pair.targets.data<int32_t>()[r]);
  pair.hard.data<T>()[r] = static_cast<T>(-row.hard.log_p[target]);
  pair.divergence.data<T>()[r] = static_cast<T>(divergence);
  const size_t wanted = row.p.likeliest();
  pair.agrees.data<int32_t>()[r] = row.hard.log_p[wanted] >= row.hard.log_p[row.hard.likeliest()] ? 1 : 0;
  if (!pair.weights.defined()) return;
  const double weight = pair.weights.data<T>()[r];
  for (size_t c = 0; c < row.hard.p.size(); ++c) {
    double slope = (1.0 - o.share) * (row.hard.p[c] - (c == target ? 1.0 : 0.0));
    if (c < row.slopes.size()) slope += o.share * o.temperature * (row.slopes[c] - q.p[c] * slopes);
    if (pair.softcap > 0.0) {
      const double t = std::tanh(static_cast<double>(logits[c]) / pair.softcap);
      slope *= 1.0 - t * t;
    }
    logits[c] = static_cast<T>(slope * weight);
  }
}

void distil_rows(const LogitPair& pair, const DistillationOptions& o) {
  parallel_for(pair.student.dim(0), 1 + 4096 / pair.student.dim(1), [&](int64_t begin, int64_t end) {
    RowScratch row;
    for (int64_t r = begin; r < end; ++r) {
      if (pair.student.dtype() == DType::f64) {
        distil_row<double>(pair, o, r, row);
      } else {
        distil_row<float>(pair, o, r, row);
      }
    }
  });
}

void check(const Tensor& h, const OutputHead& head, const Tensor& teacher_h, const OutputHead& teacher,
           const Tensor& targets, const DistillationOptions& o) {
  check_logit_rows(kDistillation, h, head, targets, o.weights);
  expect(teacher_h.dtype() == h.dtype() && teacher_h.shape().rank() == 2 && teacher_h.dim(0) == h.dim(0),
         kDistillation, "states of the teacher for {}, got {}", h, teacher_h);
  expect(teacher.weight.shape().rank() == 2 && teacher.weight.dim(1) == teacher_h.dim(1), kDistillation,
         "a weight of the teacher for {}, got {}", teacher_h, teacher.weight);
  expect_optional(kDistillation, "bias of the teacher", teacher.bias, {teacher.weight.dim(0)},
                  wide_of(h.dtype()));
  expect(o.share >= 0.0 && o.share <= 1.0, kDistillation, "a share from 0 to 1, got {}", o.share);
  expect(o.temperature > 0.0, kDistillation, "a temperature above 0, got {}", o.temperature);
  expect(o.beta > 0.0 && o.beta < 1.0, kDistillation, "a beta between 0 and 1, got {}", o.beta);
}

int64_t rows_at_once(const Tensor& h, const OutputHead& head, const OutputHead& teacher, int64_t wanted) {
  if (wanted > 0) return wanted;
  const int64_t bytes = (head.weight.dim(0) + teacher.weight.dim(0)) * size_of(wide_of(h.dtype()));
  return std::max(kFewestLogitRows, kLogitChunkBytes / bytes);
}

}  // namespace

Distilled linear_distillation(const Tensor& h, const OutputHead& head, const Tensor& teacher_h,
                              const OutputHead& teacher, const Tensor& targets,
                              const DistillationOptions& o) {
  check(h, head, teacher_h, teacher, targets, o);
  const bool recorded = autograd::recording({&h, &head.weight, &head.bias, &head.replaced.rows});
  const DType wide = wide_of(h.dtype());
  RowGradients gradients;
  if (recorded) gradients = wanted_gradients(h, head, o.weights);
  Distilled result{.loss = {},
                   .hard = Tensor::zeros({h.dim(0)}, wide),
                   .divergence = Tensor::zeros({h.dim(0)}, wide),
                   .agrees = Tensor::zeros({h.dim(0)}, DType::i32)};
  const std::vector<int64_t> rows = rows_in_loss(targets, recorded ? gradients.weights : o.weights);
  const int64_t at_once = rows_at_once(h, head, teacher, o.chunk_rows);
  const OutputHead ready_teacher = rows.empty() ? teacher : ready_head(teacher, teacher_h.dtype());
  const Tensor buffer(
      {std::min(at_once, std::max<int64_t>(1, static_cast<int64_t>(rows.size()))), teacher.weight.dim(0)},
      wide);
  for_logit_rows(
      h, head, rows, at_once, gradients,
      [&](std::span<const int64_t> chunk, const Tensor& logits, const Tensor& weights) {
        const int64_t n = logits.dim(0);
        const Tensor theirs = buffer.sliced(0, n), wanted = gathered(targets, chunk);
        make_logits(gathered(teacher_h, chunk), ready_teacher, theirs);
        const Tensor hard({n}, wide), divergence({n}, wide), agrees({n}, DType::i32);
        distil_rows(
            {logits, theirs, head.softcap, teacher.softcap, wanted, weights, hard, divergence, agrees}, o);
        scatter(hard, chunk, result.hard);
        scatter(divergence, chunk, result.divergence);
        scatter(agrees, chunk, result.agrees);
      });
  Tensor losses(result.hard.shape(), wide);
  axpby(1.0 - o.share, result.hard, 0.0, losses);
  axpby(o.share * o.temperature * o.temperature, result.divergence, 1.0, losses);
  result.loss = weighted_sum(losses, o.weights);
  if (!recorded) return result;
  gradients.weights = Tensor();
  // Saved for backward: the gradients, which only wait for dy.
  autograd::record(
      result.loss, kDistillation, {h, head.weight, head.bias, head.replaced.rows},
      [gradients](const Tensor& dy, BackwardContext& inputs) { give(gradients, dy.item(), inputs); });
  return result;
}

}  // namespace quern::ops
