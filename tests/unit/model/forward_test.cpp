// Ways of running one model that must agree: cached = full, packed = apart, checkpointed = kept, bf16 near
// f32.
#include <gtest/gtest.h>

#include <map>

#include "autograd/graph.h"
#include "ops/linear.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

using nn::ForwardContext;

ModelConfig windowed_alibi() {
  ModelConfig config = tiny_config("gpt2");
  config.positions = Positions::alibi;
  config.window = 5;
  return config;
}

ModelConfig layers_of_both_kinds() {
  ModelConfig config = tiny_config("gemma3_text");
  config.window = 4;
  config.full_layers = {1};
  config.nope_layers = {1};
  return config;
}

const std::map<std::string, ModelConfig (*)()> kConfigs{
    {"gpt2", [] { return tiny_config("gpt2"); }},
    {"llama", [] { return tiny_config("llama"); }},
    {"windowed_alibi", windowed_alibi},
    {"layers_of_both_kinds", layers_of_both_kinds},
    {"olmo2", [] { return tiny_config("olmo2"); }},
};

class Forward : public testing::TestWithParam<std::string> {
 protected:
  Decoder model(uint64_t seed = 11) const {
    Decoder decoder = Decoder::create(kConfigs.at(GetParam())(), seed).value();
    decoder.set_cache_dtype(DType::f32);  // to have the bits of a pass without a cache
    return decoder;
  }

  static Tensor logits(const Decoder& model, const Tensor& tokens, const ForwardContext& context) {
    return model.logits(model.hidden(tokens, context));
  }
};

TEST_P(Forward, PrefillAndDecodeEqualTheFullForward) {
  const Decoder decoder = model();
  const autograd::NoGrad no_grad;
  const ops::BatchInvariant invariant;
  const int64_t batch = 2, time = 12, vocab = decoder.config().vocab_size;
  const Tensor tokens = random_tokens(batch, time, vocab, 1);
  const Tensor full = logits(decoder, tokens, ForwardContext::causal(batch, time));

  nn::ContiguousKvCache cache = decoder.make_cache({.batch = batch, .capacity = time});
  for (const int64_t piece : {5, 3, 1, 1, 1, 1}) {
    const int64_t begin = cache.length(0);
    Tensor part({batch, piece}, DType::i32);
    for (int64_t i = 0; i < part.numel(); ++i) {
      part.data<int32_t>()[i] = tokens.data<int32_t>()[i / piece * time + begin + i % piece];
    }
    const Tensor got = logits(decoder, part, cache.next(piece));
    cache.commit(piece);
    for (int64_t b = 0; b < batch; ++b) {
      const Tensor wanted =
          full.reshaped({batch * time, vocab}).sliced(b * time + begin, b * time + begin + piece);
      EXPECT_TRUE(same_bits(got.reshaped({batch * piece, vocab}).sliced(b * piece, (b + 1) * piece), wanted))
          << "sequence " << b << " from " << begin;
    }
  }
}

TEST_P(Forward, ATruncatedCacheForgets) {
  const Decoder decoder = model();
  const autograd::NoGrad no_grad;
  const Tensor first = random_tokens(1, 6, decoder.config().vocab_size, 1);
  const Tensor wrong = random_tokens(1, 3, decoder.config().vocab_size, 2);
  const Tensor next = random_tokens(1, 2, decoder.config().vocab_size, 3);
  const auto after = [&](bool detour) {
    nn::ContiguousKvCache cache = decoder.make_cache({.capacity = 16});
    logits(decoder, first, cache.next(6));
    cache.commit(6);
    if (detour) {
      logits(decoder, wrong, cache.next(3));
      cache.commit(3);
      cache.truncate(0, 6);
    }
    return logits(decoder, next, cache.next(2));
  };
  EXPECT_TRUE(same_bits(after(true), after(false)));
}

TEST_P(Forward, PackedDocumentsEqualSeparateDocuments) {
  Decoder decoder = model();
  const int64_t vocab = decoder.config().vocab_size;
  const Tensor tokens = random_tokens(1, 10, vocab, 1), targets = random_tokens(1, 10, vocab, 2);
  const auto gradients = [&] {
    std::map<std::string, Tensor> all;
    decoder.visit([&](const std::string& name, nn::Parameter& p) { all[name] = p.grad(); });
    nn::clear_grads(decoder);
    return all;
  };
  const Tensor positions = Tensor::from(std::vector<int32_t>{0, 1, 2, 3, 0, 1, 2, 3, 4, 5}, {1, 10});
  const Tensor packed = decoder.loss(decoder.hidden(tokens, ForwardContext::packed(positions)), targets, {});
  autograd::backward(packed);
  const auto together = gradients();

  double sum = 0.0;
  const auto document = [](const Tensor& ids, int64_t begin, int64_t end) {
    return ids.reshaped({10}).sliced(begin, end).reshaped({1, end - begin});
  };
  for (const auto& [begin, end] : {std::pair{0, 4}, std::pair{4, 10}}) {
    const Tensor states =
        decoder.hidden(document(tokens, begin, end), ForwardContext::causal(1, end - begin));
    const Tensor loss = decoder.loss(states, document(targets, begin, end), {});
    sum += loss.item();
    autograd::backward(loss);
  }
  EXPECT_NEAR(packed.item(), sum, 1e-4);
  for (const auto& [name, gradient] : gradients()) {
    EXPECT_LE(max_difference(gradient, together.at(name)), 2e-4) << name;
  }
}

TEST_P(Forward, CheckpointingChangesNoBit) {
  ModelConfig config = kConfigs.at(GetParam())();
  config.dropout = 0.2;
  const auto run = [&](bool checkpoint) {
    Decoder decoder = Decoder::create(config, 11).value();
    ForwardContext context = ForwardContext::causal(2, 8);
    context.checkpoint = checkpoint;
    context.dropout = {.enabled = true, .seed = 3, .step = 4};
    const Tensor tokens = random_tokens(2, 8, config.vocab_size, 1),
                 targets = random_tokens(2, 8, config.vocab_size, 2);
    const Tensor loss = decoder.loss(decoder.hidden(tokens, context), targets, {});
    autograd::backward(loss);
    std::map<std::string, Tensor> all{{"loss", loss.detached()}};
    decoder.visit([&](const std::string& name, nn::Parameter& p) { all[name] = p.grad(); });
    return all;
  };
  const auto kept = run(false), recomputed = run(true);
  for (const auto& [name, value] : kept) EXPECT_TRUE(same_bits(value, recomputed.at(name))) << name;
}

TEST_P(Forward, SixteenBitComputeStaysNearF32) {
  Decoder decoder = model();
  const autograd::NoGrad no_grad;
  const Tensor tokens = random_tokens(2, 8, decoder.config().vocab_size, 1);
  const Tensor exact = logits(decoder, tokens, ForwardContext::causal(2, 8));
  const double spread = max_difference(exact, Tensor::zeros(exact.shape()));
  for (const auto& [dtype, tolerance] : {std::pair{DType::bf16, 0.06}, std::pair{DType::f16, 0.008}}) {
    decoder.set_compute_dtype(dtype);
    const Tensor states = decoder.hidden(tokens, ForwardContext::causal(2, 8));
    EXPECT_EQ(states.dtype(), dtype);
    const Tensor got = decoder.logits(states);
    EXPECT_EQ(got.dtype(), DType::f32);
    EXPECT_LE(max_difference(got, exact), tolerance * spread) << name_of(dtype);
    EXPECT_GT(max_difference(got, exact), 0.0) << "it did compute in " << name_of(dtype);
  }
}

TEST_P(Forward, GradientsOfSixteenBitComputeReachTheMasters) {
  Decoder exact = model(), half = model();
  half.set_compute_dtype(DType::bf16);
  const Tensor tokens = random_tokens(2, 8, 48, 1), targets = random_tokens(2, 8, 48, 2);
  std::map<std::string, Tensor> wanted;
  for (Decoder* decoder : {&exact, &half}) {
    autograd::backward(decoder->loss(decoder->hidden(tokens, ForwardContext::causal(2, 8)), targets, {}));
  }
  exact.visit([&](const std::string& name, nn::Parameter& p) { wanted[name] = p.grad(); });
  half.visit([&](const std::string& name, nn::Parameter& p) {
    ASSERT_EQ(p.grad().dtype(), DType::f32) << name;
    const double spread = max_difference(wanted.at(name), Tensor::zeros(p.shape()));
    // A key bias moves every score of a query alike, so its gradient is nothing but rounding.
    if (name.ends_with(".k.bias")) return;
    EXPECT_LE(max_difference(p.grad(), wanted.at(name)), 0.15 * spread) << name;
  });
}

INSTANTIATE_TEST_SUITE_P(Configs, Forward,
                         testing::Values("gpt2", "llama", "windowed_alibi", "layers_of_both_kinds", "olmo2"),
                         [](const auto& which) { return which.param; });

}  // namespace
}  // namespace quern::model
