// EncoderDecoder against tiny checkpoints recorded from transformers (tools/goldens/seq2seq.py).
#include "model/encoder_decoder.h"

#include <gtest/gtest.h>

#include <map>

#include "autograd/graph.h"
#include "base/exception.h"
#include "formats/safetensors.h"
#include "model/load.h"
#include "model/save.h"
#include "model/tensor_layout.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

namespace fs = std::filesystem;
const fs::path kGolden = fs::path(QUERN_SOURCE_DIR) / "tests" / "golden" / "seq2seq";

class Seq2SeqGolden : public testing::TestWithParam<const char*> {
 protected:
  fs::path folder() const { return kGolden / GetParam(); }
  Tensor expected(const std::string& name) const { return archive_.tensor(name).value(); }
  Tensor ids(const std::string& name) const { return expected(name).to(DType::i32); }
  std::vector<int64_t> lengths() const {
    std::vector<int64_t> result;
    for (const int32_t length : ids("lengths").span<int32_t>()) result.push_back(length);
    return result;
  }
  Tensor states(const EncoderDecoder& model) const {
    const Tensor target = ids("target");
    nn::ForwardContext context = nn::ForwardContext::causal(target.dim(0), target.dim(1));
    context.source = read_source(model.encoder(), model.decoder(), ids("source"), lengths());
    return model.decoder().hidden(target, context);
  }

  formats::TensorArchive archive_ = formats::TensorArchive::open(folder() / "expected.safetensors").value();
};

TEST_P(Seq2SeqGolden, LogitsAgree) {
  const EncoderDecoder model = load_encoder_decoder(folder()).value();
  const autograd::NoGrad no_grad;
  EXPECT_LE(max_difference(model.decoder().logits(states(model)), expected("logits")), 1e-4);
}

// Token by token over a cache, and rows that share one source, give the logits of the whole.
TEST_P(Seq2SeqGolden, DecodingWithACacheAgrees) {
  EncoderDecoder model = load_encoder_decoder(folder()).value();
  model.decoder().set_cache_dtype(DType::f32);
  const autograd::NoGrad no_grad;
  const Tensor source = ids("source"), target = ids("target"), logits = expected("logits");
  const int64_t time = target.dim(1), vocab = logits.dim(2);
  const auto read = read_source(model.encoder(), model.decoder(), source.sliced(0, 1), {lengths()[0]});
  nn::ContiguousKvCache cache = model.decoder().make_cache({.batch = 3, .capacity = time});
  for (int64_t t = 0; t < time; ++t) {
    nn::ForwardContext context = cache.next(1);
    context.source = read;
    const Tensor token = Tensor::full({3, 1}, target.data<int32_t>()[t], DType::i32);
    const Tensor row = model.decoder().logits(model.decoder().hidden(token, context));
    cache.commit(1);
    for (int64_t b = 0; b < 3; ++b) {
      EXPECT_LE(max_difference(row.sliced(b, b + 1), logits.reshaped({2 * time, vocab}).sliced(t, t + 1)),
                1e-4);
    }
  }
}

TEST_P(Seq2SeqGolden, SurvivesBeingSaved) {
  const EncoderDecoder model = load_encoder_decoder(folder()).value();
  const fs::path copy = fs::path(testing::TempDir()) / (std::string("quern_seq2seq_") + GetParam());
  fs::remove_all(copy);
  save_model(model, copy, DType::f32).value();
  const EncoderDecoder again = load_encoder_decoder(copy).value();
  const autograd::NoGrad no_grad;
  EXPECT_TRUE(same_bits(model.decoder().logits(states(model)), again.decoder().logits(states(again))));
}

INSTANTIATE_TEST_SUITE_P(Families, Seq2SeqGolden, testing::Values("t5", "t5_gated", "mt5", "bart"));

class Seq2SeqGradients : public Seq2SeqGolden {};

TEST_P(Seq2SeqGradients, LossAndEveryGradientAgree) {
  EncoderDecoder model = load_encoder_decoder(folder(), {.trainable = true}).value();
  const Tensor labels = ids("labels");
  const Tensor weights = Tensor::full(labels.shape(), 1.0 / static_cast<double>(labels.numel()));
  const Tensor loss = model.decoder().loss(states(model), labels, weights);
  EXPECT_NEAR(loss.item(), expected("loss").item(), 1e-5);
  autograd::backward(loss);
  std::map<std::string, Tensor> gradients;
  model.visit([&](const std::string& name, nn::Parameter& parameter) { gradients[name] = parameter.grad(); });
  for (const TensorName& name : find_family(model.config().family).value()->tensors(model.config())) {
    if (name.file == "final_logits_bias") continue;  // transformers does not train it
    std::vector<Tensor> parts;
    for (const std::string& parameter : name.parameters) {
      ASSERT_TRUE(gradients.at(parameter).defined()) << parameter;
      parts.push_back(gradients.at(parameter));
    }
    EXPECT_LE(max_difference(join(name, parts), expected("grad." + name.file)), 2e-5) << name.file;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Seq2SeqGradients, testing::Values("t5", "bart"));

TEST(EncoderDecoder, ADecoderNeedsItsSource) {
  const EncoderDecoder model = load_encoder_decoder(kGolden / "bart").value();
  EXPECT_THROW(model.decoder().hidden(random_tokens(1, 3, 61, 1), nn::ForwardContext::causal(1, 3)),
               ShapeError);
}

TEST(EncoderDecoder, IsNoDecoder) { EXPECT_EQ(load_model(kGolden / "t5").error().code, ErrorCode::conflict); }

}  // namespace
}  // namespace quern::model
