// EncoderDecoder against tiny checkpoints recorded from transformers (tools/goldens/seq2seq.py).
#include "model/encoder_decoder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "autograd/graph.h"
#include "base/exception.h"
#include "formats/gguf/contents.h"
#include "formats/safetensors.h"
#include "model/load.h"
#include "model/save.h"
#include "model/tensor_layout.h"
#include "support/golden.h"
#include "support/temp_dir.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

namespace fs = std::filesystem;
const std::filesystem::path kSeq2Seq = quern::test::kGolden / "seq2seq";

class Seq2SeqGolden : public testing::TestWithParam<const char*> {
 protected:
  fs::path folder() const { return kSeq2Seq / GetParam(); }
  Tensor expected(const std::string& name) const { return archive_.tensor(name).value(); }
  Tensor ids(const std::string& name) const { return expected(name).to(DType::i32); }
  std::vector<int64_t> lengths() const {
    std::vector<int64_t> result;
    const Tensor known = ids("lengths");
    for (const int32_t length : known.span<int32_t>()) result.push_back(length);
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

// A T5 of `family`, whose distances are those that GGUF files imply.
ModelConfig tiny_t5(const std::string& family, bool tied) {
  ModelConfig config = tiny_config(family);
  config.encoder_layers = 3;
  config.head_dim = 8;
  config.relative_buckets = 8;
  config.tied_embeddings = tied;
  if (tied && family == "t5") config.final_state_scale = 1.0 / std::sqrt(static_cast<double>(config.hidden));
  return config;
}

Tensor answer_of(const EncoderDecoder& model) {
  const autograd::NoGrad no_grad;
  const Tensor source = random_tokens(2, 9, model.config().vocab_size, 5);
  nn::ForwardContext context = nn::ForwardContext::causal(2, 6);
  context.source = read_source(model.encoder(), model.decoder(), source, {9, 4});
  return model.decoder().logits(
      model.decoder().hidden(random_tokens(2, 6, model.config().vocab_size, 6), context));
}

TEST(EncoderDecoder, ComputesTheSameFromGguf) {
  for (const ModelConfig& config :
       {tiny_t5("t5", true), tiny_t5("t5", false), tiny_t5("mt5", false), tiny_t5("mt5", true)}) {
    const EncoderDecoder model = EncoderDecoder::create(config, 3).value();
    const auto contents = gguf_contents(model, DType::f32);
    ASSERT_TRUE(contents.ok()) << contents.error().to_string();
    EXPECT_EQ(contents->find("output.weight") == nullptr, config.final_state_scale != 1.0);
    const fs::path path = test::process_temp_dir() / "t5.gguf", folder = test::process_temp_dir() / "t5";
    formats::write_gguf(path, *contents, null_progress()).value();
    const auto again = load_encoder_decoder(path);
    ASSERT_TRUE(again.ok()) << again.error().to_string();
    EXPECT_EQ(again->config().encoder_layers, 3);
    EXPECT_EQ(again->config().layers, 2);
    EXPECT_TRUE(same_bits(answer_of(*again), answer_of(model)));
    // And back to a folder.
    fs::remove_all(folder);
    const auto saved = save_model(*again, folder, DType::f32);
    ASSERT_TRUE(saved.ok()) << saved.error().to_string();
    EXPECT_TRUE(same_bits(answer_of(load_encoder_decoder(folder).value()), answer_of(model)));
  }
}

TEST(EncoderDecoder, RefusesToWriteWhatGgufCannotSay) {
  const auto error_of = [](const ModelConfig& config) {
    return gguf_contents(EncoderDecoder::create(config, 3).value(), DType::f32).error();
  };
  ModelConfig far = tiny_t5("t5", false);
  far.relative_max_distance = 64;
  EXPECT_EQ(
      error_of(far).message,
      "a GGUF file of architecture 't5' cannot say relative_max_distance = 64 (it would be read as 128)");
  EXPECT_EQ(error_of(far).hint, "'quern convert --to hf' keeps it");
  const EncoderDecoder bart = load_encoder_decoder(kSeq2Seq / "bart").value();
  EXPECT_EQ(gguf_contents(bart, DType::f32).error().message,
            "GGUF has no architecture for models of family 'bart'");
}

TEST(EncoderDecoder, ADecoderNeedsItsSource) {
  const EncoderDecoder model = load_encoder_decoder(kSeq2Seq / "bart").value();
  EXPECT_THROW(model.decoder().hidden(random_tokens(1, 3, 61, 1), nn::ForwardContext::causal(1, 3)),
               ShapeError);
}

TEST(EncoderDecoder, IsNoDecoder) {
  EXPECT_EQ(load_model(kSeq2Seq / "t5").error().code, ErrorCode::conflict);
}

}  // namespace
}  // namespace quern::model
