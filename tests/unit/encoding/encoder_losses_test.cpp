// Losses and gradients of all heads against those that transformers computed (tools/goldens/encoder_losses.py).
#include <gtest/gtest.h>

#include <map>

#include "autograd/graph.h"
#include "base/file.h"
#include "base/json.h"
#include "encoding/answer_spans.h"
#include "encoding/sequence_labels.h"
#include "encoding/token_labels.h"
#include "formats/safetensors.h"
#include "model/family.h"
#include "model/load.h"
#include "support/golden.h"

namespace quern::encoding {
namespace {

using model::Head;
using model::Problem;

class EncoderLosses : public testing::TestWithParam<const char*> {
 protected:
  Tensor given(const std::string& name) const { return archive_.tensor(name).value(); }
  std::vector<double> wanted(const std::string& kind) const { return doubles_of(given(kind + ".wanted")); }
  std::vector<TextTokens> texts() const {
    const Tensor ids = given("input_ids").to(DType::i32);
    std::vector<TextTokens> result(static_cast<size_t>(ids.dim(0)));
    for (size_t row = 0; row < result.size(); ++row) {
      const auto time = static_cast<size_t>(ids.dim(1));
      const auto values = ids.span<int32_t>().subspan(row * time, time);
      result[row].ids.assign(values.begin(), values.end());
    }
    return result;
  }
  model::Encoder encoder(Head head, Problem problem = Problem::single_label) const {
    const bool labels = head == Head::sequence_classification || head == Head::token_classification;
    model::NewHead wanted{head, problem, {}, 1};
    if (labels) wanted.labels = {"LABEL_0", "LABEL_1", "LABEL_2"};
    model::ModelConfig config = model::load_config(folder_).value();
    model::Encoder model = model::Encoder::create(model::with_head(config, wanted).value(), 1).value();
    formats::ModelFolder files = formats::ModelFolder::open(folder_).value();
    model::load_weights(model, model.config(), formats::Checkpoint::open(files).value(), true).value();
    return model;
  }
  // What was added to the gradients is what transformers has, relative to the largest of each tensor.
  void expect_gradients(const model::Encoder& model, const std::string& kind) const {
    std::map<std::string, Tensor> gradients;
    nn::visit(model, [&](const std::string& name, const nn::Parameter& p) { gradients[name] = p.grad(); });
    int64_t compared = 0;
    for (const model::TensorName& name :
         model::find_family(model.config().family).value()->tensors(model.config())) {
      const std::string key = kind + ".grad." + name.file;
      if (archive_.find(key) == nullptr) continue;
      ASSERT_EQ(name.parameters.size(), 1U);
      const std::vector<double> theirs = doubles_of(given(key));
      ASSERT_TRUE(gradients.at(name.parameters[0]).defined()) << name.file;
      const std::vector<double> ours = doubles_of(gradients.at(name.parameters[0]));
      ASSERT_EQ(ours.size(), theirs.size());
      double most = 0.0, apart = 0.0;
      for (size_t i = 0; i < ours.size(); ++i) {
        most = std::max(most, std::fabs(theirs[i]));
        apart = std::max(apart, std::fabs(theirs[i] - ours[i]));
      }
      // Biases of keys have no gradient but what f32 rounds.
      EXPECT_LE(apart, 1e-5 * most + 5e-7) << name.file;
      ++compared;
    }
    EXPECT_GT(compared, 10);
  }
  void expect_loss(double loss, const std::string& kind) const {
    const double theirs = given(kind + ".loss").data<double>()[0];
    EXPECT_NEAR(loss, theirs, 1e-5 * theirs);
  }
  template <class Criterion>
  void learn(Criterion& criterion, const std::string& kind) const {
    std::vector<int64_t> all;
    for (int64_t i = 0; i < criterion.size(); ++i) all.push_back(i);
    criterion.clear();
    // Apart, as micro-batches are.
    const double weight = 1.0 / static_cast<double>(criterion.targets(all, 0));
    criterion.add(std::span(all).first(1), {}, weight);
    criterion.add(std::span(all).subspan(1), {}, weight);
    expect_loss(criterion.loss(), kind);
  }

  std::filesystem::path folder_ = test::kGolden / "encoders" / GetParam();
  formats::TensorArchive archive_ = formats::TensorArchive::open(test::kGolden / "encoder_losses" /
                                                                 (std::string(GetParam()) + ".safetensors"))
                                        .value();
};

TEST_P(EncoderLosses, LabelsOfTexts) {
  for (const Problem problem : {Problem::single_label, Problem::multi_label}) {
    const std::string kind = problem == Problem::single_label ? "single_label" : "multi_label";
    const model::Encoder model = encoder(Head::sequence_classification, problem);
    const std::vector<double> labels = wanted(kind);
    std::vector<LabelledText> rows;
    const size_t each = labels.size() / 3;
    for (size_t i = 0; i < 3; ++i) {
      rows.push_back({texts()[i],
                      {labels.begin() + static_cast<std::ptrdiff_t>(i * each),
                       labels.begin() + static_cast<std::ptrdiff_t>((i + 1) * each)}});
    }
    SequenceLabels criterion(model, rows);
    learn(criterion, kind);
    expect_gradients(model, kind);
  }
}

TEST_P(EncoderLosses, LabelsOfTokens) {
  const model::Encoder model = encoder(Head::token_classification);
  const std::vector<double> labels = wanted("tokens");
  std::vector<LabelledTokens> rows;
  for (size_t i = 0; i < 3; ++i) {
    LabelledTokens& row = rows.emplace_back(LabelledTokens{texts()[i], {}});
    for (size_t t = 0; t < row.text.ids.size(); ++t)
      row.labels.push_back(std::max(static_cast<int32_t>(labels[i * row.text.ids.size() + t]), -1));
  }
  TokenLabels criterion(model, rows);
  learn(criterion, "tokens");
  expect_gradients(model, "tokens");
}

TEST_P(EncoderLosses, Answers) {
  const model::Encoder model = encoder(Head::question_answering);
  const std::vector<double> places = wanted("answers");
  std::vector<ContextWindow> windows;
  for (size_t i = 0; i < 3; ++i) {
    ContextWindow& window = windows.emplace_back();
    window.text = texts()[i];
    window.asked = i;
    window.begin = static_cast<int32_t>(places[i]);
    window.end = static_cast<int32_t>(places[3 + i]);
  }
  AnswerSpans criterion(model, std::vector<AskedContext>(3), windows);
  learn(criterion, "answers");
  expect_gradients(model, "answers");
}

TEST_P(EncoderLosses, MaskedWords) {
  const model::Encoder model = encoder(Head::masked_lm);
  const std::vector<double> words = wanted("words");
  std::vector<int32_t> targets;
  double count = 0.0;
  for (const double word : words) {
    targets.push_back(std::max(static_cast<int32_t>(word), -1));
    count += word >= 0.0;
  }
  const std::vector<TextTokens> rows = texts();
  const std::vector<const TextTokens*> all{&rows[0], &rows[1], &rows[2]};
  const TextBatch batch(all, model.config(), {});
  const Tensor loss = model.loss(model.hidden(batch.tokens, batch.context, batch.types),
                                 Tensor::from(targets, batch.tokens.shape()),
                                 Tensor::full({batch.tokens.numel()}, 1.0 / count));
  autograd::backward(loss);
  expect_loss(loss.item(), "words");
  expect_gradients(model, "words");
}

INSTANTIATE_TEST_SUITE_P(Families, EncoderLosses, testing::Values("bert", "deberta-v2"),
                         [](const auto& which) { return std::string(which.param).substr(0, 4); });

}  // namespace
}  // namespace quern::encoding
