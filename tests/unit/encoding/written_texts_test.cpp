// What encoder-decoders write: losses and gradients against those of transformers (tools/goldens/denoising.py), steps in parts,
// and answers that are right word for word.
#include "encoding/written_texts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "autograd/graph.h"
#include "encoding/denoised_texts.h"
#include "encoding/encoder_objective.h"
#include "formats/safetensors.h"
#include "model/family.h"
#include "model/load.h"
#include "model/tensor_layout.h"
#include "support/golden.h"
#include "unit/encoding/gradients.h"
#include "unit/model/tiny_models.h"

namespace quern::encoding {
namespace {

class WrittenGolden : public testing::TestWithParam<const char*> {
 protected:
  Tensor given(const std::string& name) const { return archive_.tensor(name).value(); }
  // The recorded batch, without its padding.
  std::vector<TextPair> pairs() const {
    const Tensor ids = given("ids").to(DType::i32), labels = given("labels").to(DType::i32);
    std::vector<TextPair> result;
    for (int64_t row = 0; row < ids.dim(0); ++row) {
      TextPair& pair = result.emplace_back();
      const int64_t length = given("lengths").data<int32_t>()[row];
      for (int64_t t = 0; t < length; ++t) pair.source.push_back(ids.data<int32_t>()[row * ids.dim(1) + t]);
      for (int64_t t = 0; t < labels.dim(1); ++t) {
        const int32_t label = labels.data<int32_t>()[row * labels.dim(1) + t];
        if (label >= 0) pair.target.push_back(label);
      }
    }
    return result;
  }

  formats::TensorArchive archive_ =
      formats::TensorArchive::open(test::kGolden / "denoising" / (std::string(GetParam()) + ".safetensors"))
          .value();
  model::EncoderDecoder model_ =
      model::load_encoder_decoder(test::kGolden / "seq2seq" / GetParam(), {.trainable = true}).value();
};

TEST_P(WrittenGolden, LossAndEveryGradientAgree) {
  AnsweredTexts texts(model_, pairs());
  const std::vector<int64_t> all{0, 1, 2};
  const double weight = 1.0 / static_cast<double>(texts.targets(all, 0));
  EXPECT_EQ(texts.targets(all, 0), 14);
  texts.clear();
  // Apart, as micro-batches are.
  texts.add(std::span(all).first(2), {}, weight);
  texts.add(std::span(all).subspan(2), {}, weight);
  const double theirs = given("loss").data<double>()[0];
  EXPECT_NEAR(texts.loss(), theirs, 1e-5 * theirs);
  const std::map<std::string, Tensor> gradients = gradients_of(model_);
  int64_t compared = 0;
  for (const model::TensorName& name :
       model::find_family(model_.config().family).value()->tensors(model_.config())) {
    if (archive_.find("grad." + name.file) == nullptr) continue;
    std::vector<Tensor> parts;
    for (const std::string& parameter : name.parameters) parts.push_back(gradients.at(parameter));
    const Tensor wanted = given("grad." + name.file);
    double most = 0.0;
    for (const float value : wanted.span<float>()) most = std::max(most, std::fabs(double{value}));
    EXPECT_LE(model::max_difference(model::join(name, parts), wanted), 1e-5 * most + 5e-7) << name.file;
    ++compared;
  }
  EXPECT_GT(compared, 30);
}

INSTANTIATE_TEST_SUITE_P(Models, WrittenGolden, testing::Values("t5", "bart"));

model::EncoderDecoder tiny(const std::string& family, double dropout) {
  model::ModelConfig config = model::tiny_config(family);
  config.dropout = dropout;
  config.relative_buckets = 8;
  config.eos_tokens = {1};
  return model::EncoderDecoder::create(config, 5).value();
}

std::vector<std::vector<int32_t>> drawn_texts(int64_t count, int64_t longest) {
  std::vector<std::vector<int32_t>> texts;
  for (int64_t i = 0; i < count; ++i) {
    Rng rng(static_cast<uint64_t>(i), 9);
    auto& text = texts.emplace_back();
    for (int64_t t = 0; t < 2 + i * 7 % (longest - 1); ++t)
      text.push_back(static_cast<int32_t>(12 + rng.below(36)));
  }
  return texts;
}

NoiseTokens tokens_of(Corruption corruption) {
  NoiseTokens tokens{.read = {{}, {1}}, .written = {{}, {1}}};
  if (corruption == Corruption::spans) {
    tokens.sentinels = {11, 10, 9, 8, 7, 6};
  } else {
    tokens.mask = 4;
    tokens.ends.assign(48, 0);
    tokens.ends[20] = 1;
  }
  return tokens;
}

class Denoising : public testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<DenoisedTexts> criterion(int64_t count = 24) const {
    const bool spans = GetParam() == std::string("t5");
    const DenoiseOptions options{.corruption = spans ? Corruption::spans : Corruption::infilling,
                                 .share = 0.3,
                                 .mean_span = 2.0,
                                 .seed = 3};
    return std::make_unique<DenoisedTexts>(model_, tokens_of(options.corruption), drawn_texts(count, 18),
                                           options);
  }
  model::EncoderDecoder model_ = tiny(GetParam(), 0.0);
};

TEST_P(Denoising, IsDrawnByStepAndExample) {
  const auto texts = criterion();
  int differ = 0;
  for (int64_t i = 0; i < texts->size(); ++i) {
    const TextPair a = texts->pair(i, 4), b = texts->pair(i, 4), c = texts->pair(i, 5);
    EXPECT_EQ(a.source, b.source);
    EXPECT_EQ(a.target, b.target);
    EXPECT_EQ(a.source.back(), 1);
    EXPECT_EQ(a.target.back(), 1);
    differ += a.source != c.source;
  }
  EXPECT_GT(differ, 12);  // short texts can be corrupted in one way alone
}

TEST_P(Denoising, StepsInPartsAreWholeSteps) {
  std::vector<std::map<std::string, Tensor>> gradients;
  std::vector<train::StepLoss> learnt;
  for (const int64_t micro : {0, 3}) {
    EncoderObjective objective(criterion(), nullptr, {.batch = 8, .micro_batch = micro, .dropout = false});
    learnt.push_back(objective.accumulate({.step = 2, .micro_batches = 4, .scale = 1.0}).value());
    gradients.push_back(gradients_of(model_));
  }
  EXPECT_EQ(learnt[0].targets, learnt[1].targets);
  EXPECT_NEAR(learnt[0].loss, learnt[1].loss, 1e-6);
  expect_same(gradients[0], gradients[1]);
}

TEST_P(Denoising, EvaluationsAreAlwaysTheSame) {
  EncoderObjective objective(criterion(6), criterion(11), {.batch = 4});
  const auto first = objective.evaluate(0).value(), again = objective.evaluate(3).value();
  ASSERT_TRUE(first && again);
  EXPECT_EQ(first->loss, again->loss);
  EXPECT_TRUE(first->figure("accuracy").has_value());
  EXPECT_FALSE(first->figure("exact_match").has_value());
}

INSTANTIATE_TEST_SUITE_P(Models, Denoising, testing::Values("t5", "bart"));

TEST(DenoisedLengths, AreReckonedFromTheSequence) {
  NoiseTokens tokens = tokens_of(Corruption::spans);
  tokens.sentinels.resize(100);
  // transformers' compute_input_and_target_lengths(512, 0.15, 3).
  const DenoisedLengths lengths = denoised_lengths(512, tokens, {}).value();
  EXPECT_EQ(lengths.text, 568);
  EXPECT_EQ(lengths.target, 114);
  const DenoisedLengths infilled =
      denoised_lengths(512, tokens_of(Corruption::infilling), {.corruption = Corruption::infilling}).value();
  EXPECT_EQ(infilled.text, 511);
  EXPECT_EQ(infilled.target, 512);
  tokens.sentinels.resize(10);
  EXPECT_EQ(denoised_lengths(512, tokens, {}).error().message,
            "a text of 568 tokens has 28 spans, but the tokenizer has 10 sentinels");
  EXPECT_EQ(denoised_lengths(2, tokens, {}).error().message,
            "train.sequence is 2, of which 1 are special tokens: no room for a text");
}

// An answer that greedy generation gives is an exact match, and one with another token is none.
TEST(AnsweredTexts, MatchWhatGreedyGenerationGives) {
  const model::EncoderDecoder model = tiny("bart", 0.0);
  const autograd::NoGrad no_grad;
  const std::vector<int32_t> source{7, 20, 31, 9};
  const auto likeliest = [&](const std::vector<int32_t>& written) {
    std::vector<int32_t> inputs{static_cast<int32_t>(model.config().start_token)};
    inputs.insert(inputs.end(), written.begin(), written.end());
    const auto time = static_cast<int64_t>(inputs.size());
    nn::ForwardContext context = nn::ForwardContext::causal(1, time);
    context.source = model::read_source(model.encoder(), model.decoder(), Tensor::from(source, {1, 4}), {4});
    const Tensor states = model.decoder().hidden(Tensor::from(inputs, {1, time}), context);
    const Tensor logits = model.decoder().logits(states);
    const auto row = logits.span<float>().last(48);
    return static_cast<int32_t>(std::ranges::max_element(row) - row.begin());
  };
  std::vector<int32_t> answer;
  for (int i = 0; i < 6; ++i) answer.push_back(likeliest(answer));
  std::vector<int32_t> wrong = answer;
  wrong[3] = (wrong[3] + 1) % 48;
  AnsweredTexts texts(model, {{source, answer}, {source, wrong}});
  texts.clear();
  texts.add(std::vector<int64_t>{0, 1}, {}, 1.0);
  std::map<std::string, double> figures;
  for (const auto& [name, value] : texts.evaluation_figures()) figures[name] = value;
  EXPECT_EQ(figures.at("exact_match"), 0.5);
  EXPECT_LT(figures.at("accuracy"), 1.0);
  EXPECT_GE(figures.at("accuracy"), 9.0 / 12.0);
}

}  // namespace
}  // namespace quern::encoding
