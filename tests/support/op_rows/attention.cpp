#include "ops/attention.h"

#include "support/op_rows/op_row.h"

namespace quern::ops::rows {

namespace {

struct AttentionExtents {
  int64_t batch, queries, keys, heads, kv_heads, head_dim;
};

OpCase attention_case(const char* name, const AttentionExtents& e, const AttentionMask& mask,
                      const AttentionOptions& options = {}) {
  return {.name = name,
          .inputs =
              [e](Rng& rng, DType dtype) {
                return std::vector{random(rng, {e.batch, e.queries, e.heads, e.head_dim}, dtype),
                                   random(rng, {e.batch, e.keys, e.kv_heads, e.head_dim}, dtype),
                                   random(rng, {e.batch, e.keys, e.kv_heads, e.head_dim}, dtype)};
              },
          .run = [mask, options](
                     std::span<const Tensor> in) { return attention(in[0], in[1], in[2], mask, options); }};
}

// The same with a bias of each sequence, or one for all (`sequences` 1).
OpCase biased_case(const char* name, const AttentionExtents& e, int64_t sequences, const AttentionMask& mask,
                   const AttentionOptions& options = {}) {
  OpCase result = attention_case(name, e, mask);
  result.inputs = [e, sequences, plain = result.inputs](Rng& rng, DType dtype) {
    std::vector<Tensor> inputs = plain(rng, dtype);
    inputs.push_back(random(rng, {sequences, e.heads, e.queries, e.keys}, accumulated_in(dtype)));
    return inputs;
  };
  result.run = [mask, options](std::span<const Tensor> in) {
    AttentionOptions with_bias = options;
    with_bias.bias = in[3];
    return attention(in[0], in[1], in[2], mask, with_bias);
  };
  return result;
}

Tensor ints(const std::vector<int32_t>& values, const Shape& shape) { return Tensor::from(values, shape); }

OpBench causal_bench(const char* name, int64_t batch, int64_t time, int64_t heads, int64_t kv_heads) {
  constexpr int64_t kHeadDim = 64;
  // Two products of D multiply-adds per visible pair forward, five backward (the scores are recomputed).
  const double pairs = static_cast<double>(batch * heads * time * (time + 1) / 2);
  return {attention_case(name, {batch, time, time, heads, kv_heads, kHeadDim}, causal_mask(batch, time)),
          pairs * 4.0 * kHeadDim, pairs * 10.0 * kHeadDim};
}

}  // namespace

OpRow attention_row() {
  const Tensor documents = ints({0, 0, 0, 3, 3, 3, 3, 0, 1, 1, 1, 1, 6, 6}, {2, 7});
  const AttentionMask holes{ints({0, 3, 2, 4, 0}, {1, 5}), ints({0, 2, 5, 4, 1}, {1, 5})};
  return {
      .name = "attention",
      .cases = {attention_case("causal", {2, 5, 5, 2, 2, 4}, causal_mask(2, 5)),
                attention_case("one token", {1, 1, 1, 1, 1, 8}, causal_mask(1, 1)),
                attention_case("grouped queries, odd head dim", {2, 6, 6, 6, 2, 7}, causal_mask(2, 6)),
                attention_case("one key head", {1, 9, 9, 4, 1, 16}, causal_mask(1, 9)),
                attention_case("window", {1, 11, 11, 2, 1, 5}, causal_mask(1, 11, {.window = 3})),
                attention_case("packed documents", {2, 7, 7, 2, 2, 6},
                               causal_mask(2, 7, {.document_starts = documents})),
                attention_case("packed documents in a window", {2, 7, 7, 2, 2, 6},
                               causal_mask(2, 7, {.window = 2, .document_starts = documents})),
                attention_case("empty ranges", {1, 5, 5, 2, 1, 4}, holes),
                attention_case("cross attention", {2, 3, 8, 2, 2, 4}, full_mask(2, 3, 8)),
                attention_case("decoding with a cache", {2, 2, 10, 4, 2, 8}, causal_mask(2, 2, {.past = 6})),
                attention_case("softcap", {1, 6, 6, 2, 2, 4}, causal_mask(1, 6), {.softcap = 1.5}),
                attention_case("alibi", {1, 9, 9, 6, 3, 4}, causal_mask(1, 9), {.slopes = alibi_slopes(6)}),
                attention_case("softcap, alibi, scale", {1, 6, 6, 2, 2, 4}, causal_mask(1, 6),
                               {.scale = 0.9, .softcap = 2.0, .slopes = alibi_slopes(2)}),
                biased_case("bias of all sequences", {2, 3, 5, 2, 2, 4}, 1, full_mask(2, 3, 5)),
                biased_case("bias of each sequence", {2, 4, 7, 4, 2, 4}, 2, causal_mask(2, 4, {.past = 3})),
                biased_case("bias of each head, packed documents", {2, 7, 7, 6, 3, 6}, 1,
                            causal_mask(2, 7, {.document_starts = documents})),
                biased_case("bias, softcap, scale", {1, 5, 5, 2, 1, 4}, 1, holes,
                            {.scale = 0.9, .softcap = 2.0}),
                biased_case("bias over tiles", {2, 33, 131, 2, 1, 20}, 1, full_mask(2, 33, 131)),
                attention_case("more keys than a tile", {1, 70, 70, 2, 1, 24}, causal_mask(1, 70)),
                attention_case("odd sizes, window across tiles", {1, 131, 131, 1, 1, 20},
                               causal_mask(1, 131, {.window = 67}))},
      .benches = {causal_bench("causal B4 T64 H12 D64", 4, 64, 12, 12),
                  causal_bench("causal B1 T512 H12 D64", 1, 512, 12, 12),
                  causal_bench("causal B1 T512 H12 K4 D64", 1, 512, 12, 4)}};
}

}  // namespace quern::ops::rows
