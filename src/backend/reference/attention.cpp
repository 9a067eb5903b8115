#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "backend/reference/access.h"
#include "backend/reference/kernels.h"
#include "base/threads.h"

namespace quern::backend::reference {

namespace {

// One query row: its place in q and y, the key/value head it reads and the range of keys it sees.
struct Row {
  int64_t q;  // offset of q[b, t, h, 0]
  int64_t batch, kv_head;
  int64_t kv;     // offset of k[b, 0, kv_head, 0] where keys are dense
  int64_t stats;  // index of lse[b, h, t]
  int64_t begin, end;
  double slope;
  int64_t bias;  // offset of bias[b, h, t, 0]
};

Row row_of(const AttentionArgs& a, int64_t b, int64_t h, int64_t t) {
  const int64_t place = b * a.queries + t;
  return {.q = (place * a.heads + h) * a.head_dim,
          .batch = b,
          .kv_head = h / (a.heads / a.kv_heads),
          .kv = b * a.kv_batch_stride + h / (a.heads / a.kv_heads) * a.head_dim,
          .stats = (b * a.heads + h) * a.queries + t,
          .begin = a.begin[place],
          .end = a.end[place],
          .slope = a.slopes == nullptr ? 0.0 : static_cast<double>(a.slopes[h]),
          .bias = b * a.bias_batch_stride + (h * a.queries + t) * a.bias_keys};
}

// Where keys and values are read from: dense tensors of T, or the blocks of a cache.
template <class T>
struct DenseKv {
  const AttentionArgs& a;
  double key(const Row& row, int64_t s, int64_t d) const { return at(a.k, row, s, d); }
  double value(const Row& row, int64_t s, int64_t d) const { return at(a.v, row, s, d); }
  double at(const void* x, const Row& row, int64_t s, int64_t d) const {
    return to_double(static_cast<const T*>(x)[row.kv + s * a.kv_heads * a.head_dim + d]);
  }
};
struct BlockKv {
  const AttentionArgs& a;
  double key(const Row& row, int64_t s, int64_t d) const {
    return at(a.k, row, s, d, kv_key_index(s % kKvSlots, d));
  }
  double value(const Row& row, int64_t s, int64_t d) const {
    return at(a.v, row, s, d, kv_value_index(s % kKvSlots, d, a.head_dim));
  }
  double at(const void* x, const Row& row, int64_t s, int64_t d, int64_t index) const {
    const int64_t head = a.blocks.block(row.batch, s) * a.kv_heads + row.kv_head;
    return static_cast<double>(
        kv_element(static_cast<const char*>(x) + head * kv_head_bytes(a.blocks.dtype, a.head_dim),
                   a.blocks.dtype, a.head_dim, index, kv_scale_index(s % kKvSlots, d)));
  }
};

template <class T>
double dot(const T* x, const T* y, int64_t count) {
  double sum = 0.0;
  for (int64_t i = 0; i < count; ++i) sum += to_double(x[i]) * to_double(y[i]);
  return sum;
}

// The score of key s, and its derivative with respect to q·k.
struct Score {
  double value;
  double slope;
};
template <class T, class Wide, class Kv>
Score score(const AttentionArgs& a, const Kv& kv, const Row& row, int64_t s) {
  const T* q = static_cast<const T*>(a.q) + row.q;
  double value = 0.0, slope = a.scale;
  for (int64_t d = 0; d < a.head_dim; ++d) value += to_double(q[d]) * kv.key(row, s, d);
  value *= a.scale;
  if (a.softcap > 0.0) {
    const double t = std::tanh(value / a.softcap);
    value = a.softcap * t;
    slope *= 1.0 - t * t;
  }
  value += row.slope * static_cast<double>(s - (row.end - 1));
  if (a.bias != nullptr) value += to_double(static_cast<const Wide*>(a.bias)[row.bias + s]);
  return {value, slope};
}

template <class T, class Wide, class Kv>
void attend(const AttentionArgs& a, const Kv& kv, const Row& row, std::vector<double>& scores) {
  scores.clear();
  double top = -std::numeric_limits<double>::infinity(), total = 0.0;
  for (int64_t s = row.begin; s < row.end; ++s) {
    scores.push_back(score<T, Wide>(a, kv, row, s).value);
    top = std::max(top, scores.back());
  }
  for (double& value : scores) total += value = std::exp(value - top);
  for (int64_t d = 0; d < a.head_dim; ++d) {
    double sum = 0.0;
    for (int64_t s = row.begin; s < row.end; ++s)
      sum += scores[static_cast<size_t>(s - row.begin)] * kv.value(row, s, d);
    static_cast<T*>(a.y)[row.q + d] = from_double<T>(scores.empty() ? 0.0 : sum / total);
  }
  if (a.lse != nullptr) static_cast<Wide*>(a.lse)[row.stats] = static_cast<Wide>(top + std::log(total));
}

// Gradients of the keys and values of one head, summed in double.
struct KeySums {
  std::vector<double> dk, dv;  // [S, D]
};

// With p = exp(score - lse) and D = dy·y:  dv += p dy;  dscore = p (dy·v - D);  dq += dscore k;  dk += dscore
// q.
template <class T, class Wide>
void attend_backward(const AttentionBackwardArgs& a, const Row& row, KeySums& sums, std::vector<double>& dq) {
  const AttentionArgs& f = a.forward;
  const T* q = static_cast<const T*>(f.q) + row.q;
  const T* dy = static_cast<const T*>(a.dy) + row.q;
  const double lse = to_double(static_cast<const Wide*>(f.lse)[row.stats]);
  const double shift = dot(dy, static_cast<const T*>(f.y) + row.q, f.head_dim);
  std::ranges::fill(dq, 0.0);
  for (int64_t s = row.begin; s < row.end; ++s) {
    const int64_t key = row.kv + s * f.kv_heads * f.head_dim;
    const T* k = static_cast<const T*>(f.k) + key;
    const Score at_key = score<T, Wide>(f, DenseKv<T>{f}, row, s);
    const double p = std::exp(at_key.value - lse);
    const double moved = p * (dot(dy, static_cast<const T*>(f.v) + key, f.head_dim) - shift);
    const double dscore = moved * at_key.slope;
    if (a.dbias != nullptr) static_cast<Wide*>(a.dbias)[row.stats * f.keys + s] = static_cast<Wide>(moved);
    for (int64_t d = 0; d < f.head_dim; ++d) {
      const size_t to = static_cast<size_t>(s * f.head_dim + d);
      sums.dv[to] += p * to_double(dy[d]);
      sums.dk[to] += dscore * to_double(q[d]);
      dq[static_cast<size_t>(d)] += dscore * to_double(k[d]);
    }
  }
  for (int64_t d = 0; d < f.head_dim; ++d)
    static_cast<T*>(a.dq)[row.q + d] = from_double<T>(dq[static_cast<size_t>(d)]);
}

// Every query row that reads key/value head `kv_head` of sequence b, then the gradients of that head.
template <class T, class Wide>
void head_backward(const AttentionBackwardArgs& a, int64_t b, int64_t kv_head) {
  const AttentionArgs& f = a.forward;
  const int64_t group = f.heads / f.kv_heads;
  const size_t count = static_cast<size_t>(f.keys * f.head_dim);
  KeySums sums{std::vector<double>(count), std::vector<double>(count)};
  std::vector<double> dq(static_cast<size_t>(f.head_dim));
  for (int64_t h = kv_head * group; h < (kv_head + 1) * group; ++h) {
    for (int64_t t = 0; t < f.queries; ++t) attend_backward<T, Wide>(a, row_of(f, b, h, t), sums, dq);
  }
  for (int64_t s = 0; s < f.keys; ++s) {
    for (int64_t d = 0; d < f.head_dim; ++d) {
      const int64_t to = ((b * f.keys + s) * f.kv_heads + kv_head) * f.head_dim + d;
      static_cast<T*>(a.dk)[to] = from_double<T>(sums.dk[static_cast<size_t>(s * f.head_dim + d)]);
      static_cast<T*>(a.dv)[to] = from_double<T>(sums.dv[static_cast<size_t>(s * f.head_dim + d)]);
    }
  }
}

}  // namespace

bool attention(const AttentionArgs& a) {
  return visit_pair(a.dtype, [&]<class T, class Wide>() {
    parallel_for(a.batch * a.heads * a.queries, 64, [&](int64_t begin, int64_t end) {
      std::vector<double> scores;
      for (int64_t i = begin; i < end; ++i) {
        const Row row = row_of(a, i / (a.heads * a.queries), i / a.queries % a.heads, i % a.queries);
        if (a.blocks.table != nullptr)
          attend<T, Wide>(a, BlockKv{a}, row, scores);
        else
          attend<T, Wide>(a, DenseKv<T>{a}, row, scores);
      }
    });
  });
}

bool attention_backward(const AttentionBackwardArgs& a) {
  return visit_pair(a.forward.dtype, [&]<class T, class Wide>() {
    parallel_for(a.forward.batch * a.forward.kv_heads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        head_backward<T, Wide>(a, i / a.forward.kv_heads, i % a.forward.kv_heads);
      }
    });
  });
}

}  // namespace quern::backend::reference
