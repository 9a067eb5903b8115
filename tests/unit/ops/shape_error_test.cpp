// Every op refuses what it does not take, in one form: "[op] expected ..., got ...".
#include <gtest/gtest.h>

#include <functional>

#include "base/exception.h"
#include "ops/activation.h"
#include "ops/attention.h"
#include "ops/binary.h"
#include "ops/cast.h"
#include "ops/dropout.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/linear_cross_entropy.h"
#include "ops/norm.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/rope.h"
#include "ops/scale.h"
#include "ops/softcap.h"
#include "ops/softmax.h"
#include "ops/transpose.h"

namespace quern::ops {
namespace {

Tensor f32(const Shape& shape) { return Tensor::zeros(shape); }
Tensor i32(const Shape& shape, int32_t value = 0) { return Tensor::full(shape, value, DType::i32); }

struct Misuse {
  std::string message;
  std::function<Tensor()> call;
};

const RopeTable& table() {
  static const RopeTable instance({.rotary = 4, .max_positions = 8});
  return instance;
}

const std::vector<Misuse>& misuses() {
  static const std::vector<Misuse> list{
      {"[linear] expected input [..., K] and weight [N, K], got f32[2, 3] and f32[4, 5]",
       [] {
         return linear(f32({2, 3}), f32({4, 5}));
       }},
      {"[linear] expected a bias of f32[4], got f32[3]",
       [] {
         return linear(f32({2, 3}), f32({4, 3}), f32({3}));
       }},
      {"[linear] expected a bias of f64[4], got f32[4]",
       [] {
         return linear(Tensor::zeros({2, 3}, DType::f64), f32({4, 3}), f32({4}));
       }},
      {"[linear] expected a floating input, got i32[2, 3]",
       [] {
         return linear(i32({2, 3}), f32({4, 3}));
       }},
      {"[linear] expected a floating or block-quantised weight, got undefined",
       [] {
         return linear(f32({2, 3}), {});
       }},
      {"[embedding] expected ids in [0, 4), got 4",
       [] {
         return embedding(i32({2}, 4), f32({4, 3}), DType::f32);
       }},
      {"[embedding] expected ids in [0, 4), got -1",
       [] {
         return embedding(i32({2}, -1), f32({4, 3}), DType::f32);
       }},
      {"[embedding] expected i32 ids, got f32[2]",
       [] {
         return embedding(f32({2}), f32({4, 3}), DType::f32);
       }},
      {"[embedding] expected a weight [V, C], got f32[4]",
       [] { return embedding(i32({2}), f32({4}), DType::f32); }},
      {"[norm] expected a weight of f32[3], got f32[4]",
       [] {
         return norm(NormKind::rms, f32({2, 3}), f32({4}), {}, 1e-5);
       }},
      {"[activation] expected a floating input, got undefined",
       [] { return activation(Activation::silu, {}); }},
      {"[gated] expected up of f32[2, 3], got f32[3, 2]",
       [] {
         return gated(Activation::silu, f32({2, 3}), f32({3, 2}));
       }},
      {"[rope] expected input [B, T, H, D] with D >= 4 rotary channels, got f32[1, 2, 3]",
       [] {
         return rope(f32({1, 2, 3}), i32({1, 2}), table());
       }},
      {"[rope] expected positions of i32[1, 2], got i32[2]",
       [] {
         return rope(f32({1, 2, 1, 4}), i32({2}), table());
       }},
      {"[rope] expected positions in [0, 8), got 8",
       [] {
         return rope(f32({1, 2, 1, 4}), i32({1, 2}, 8), table());
       }},
      {"[attention] expected keys [B, S, K, D] for queries f32[1, 2, 3, 4] with K dividing H, got f32[1, 2, "
       "2, 4]",
       [] {
         return attention(f32({1, 2, 3, 4}), f32({1, 2, 2, 4}), f32({1, 2, 2, 4}), causal_mask(1, 2));
       }},
      {"[attention] expected values of f32[1, 2, 3, 4], got f32[1, 3, 3, 4]",
       [] {
         return attention(f32({1, 2, 3, 4}), f32({1, 2, 3, 4}), f32({1, 3, 3, 4}), causal_mask(1, 2));
       }},
      {"[attention] expected mask end in [0, 3), got 3",
       [] {
         return attention(f32({1, 3, 1, 4}), f32({1, 2, 1, 4}), f32({1, 2, 1, 4}), causal_mask(1, 3));
       }},
      {"[attention] expected slopes of f32[1], got f32[2]",
       [] {
         return attention(f32({1, 2, 1, 4}), f32({1, 2, 1, 4}), f32({1, 2, 1, 4}), causal_mask(1, 2),
                          {.slopes = alibi_slopes(2)});
       }},
      {"[attention] expected a bias of f32[1, 1, 2, 2], got f32[1, 1, 2, 3]",
       [] {
         return attention(f32({1, 2, 1, 4}), f32({1, 2, 1, 4}), f32({1, 2, 1, 4}), causal_mask(1, 2),
                          {.bias = f32({1, 1, 2, 3})});
       }},
      {"[transpose] expected a matrix [..., M, N], got f32[3]", [] { return transpose(f32({3})); }},
      {"[linear_cross_entropy] expected input [N, C] and weight [V, C], got f32[2, 3] and f32[5, 4]",
       [] {
         return linear_cross_entropy(f32({2, 3}), f32({5, 4}), i32({2}));
       }},
      {"[linear_cross_entropy] expected targets of i32[2], got i32[3]",
       [] {
         return linear_cross_entropy(f32({2, 3}), f32({5, 3}), i32({3}));
       }},
      {"[linear_cross_entropy] expected targets below 5, got 5",
       [] {
         return linear_cross_entropy(f32({2, 3}), f32({5, 3}), i32({2}, 5));
       }},
      {"[linear_cross_entropy] expected weights of f32[2], got f32[1]",
       [] {
         return linear_cross_entropy(f32({2, 3}), f32({5, 3}), i32({2}), {.weights = f32({1})});
       }},
      {"[add] expected a right operand of f32[2, 3] or its last dimensions, got f32[2]",
       [] {
         return add(f32({2, 3}), f32({2}));
       }},
      {"[mul] expected a right operand of f32[3] or its last dimensions, got f32[2, 3]",
       [] {
         return mul(f32({3}), f32({2, 3}));
       }},
      {"[sub] expected a right operand of f32[3] or its last dimensions, got bf16[3]",
       [] { return sub(f32({3}), Tensor::zeros({3}, DType::bf16)); }},
      {"[scale] expected a floating input, got i32[3]", [] { return scale(i32({3}), 2.0); }},
      {"[cast] expected a floating dtype, got i32", [] { return cast(f32({3}), DType::i32); }},
      {"[reshape] expected 8 elements for [2, 4], got f32[2, 3]",
       [] {
         return reshape(f32({2, 3}), {2, 4});
       }},
      {"[sum] expected a floating input, got i32[3]", [] { return sum(i32({3})); }},
      {"[mean] expected at least one element, got f32[0]", [] { return mean(f32({0})); }},
      {"[softmax] expected a floating input, got undefined", [] { return softmax({}); }},
      {"[softcap] expected a cap > 0, got 0", [] { return softcap(f32({2}), 0.0); }},
      {"[dropout] expected a probability in [0, 1), got 1", [] { return dropout(f32({2}), 1.0, 0, 0); }},
  };
  return list;
}

TEST(ShapeErrors, SayWhatWasExpectedAndWhatCame) {
  for (const Misuse& misuse : misuses()) {
    try {
      misuse.call();
      ADD_FAILURE() << "no error, expected: " << misuse.message;
    } catch (const ShapeError& error) {
      EXPECT_EQ(error.error().message, misuse.message);
    }
  }
}

}  // namespace
}  // namespace quern::ops
