#include <algorithm>

#include "infer/predict_support.h"

namespace quern::infer {

namespace {

std::vector<LabelScore> scores_of(std::span<const float> logits, const model::ModelConfig& config) {
  std::vector<double> scores(logits.begin(), logits.end());
  if (config.problem == model::Problem::single_label) scores = softmax(logits);
  if (config.problem == model::Problem::multi_label) std::ranges::transform(scores, scores.begin(), sigmoid);
  std::vector<LabelScore> result;
  for (size_t i = 0; i < scores.size(); ++i) result.push_back({config.labels[i], scores[i]});
  if (config.problem != model::Problem::regression)
    std::ranges::stable_sort(result, std::greater{}, &LabelScore::score);
  return result;
}

}  // namespace

Result<std::vector<std::vector<LabelScore>>> classify(const EncoderSession& session,
                                                      std::span<const TextOrPair> texts, TooLong too_long,
                                                      Progress& progress) {
  QUERN_CHECK(expect_head(session, model::Head::sequence_classification));
  std::vector<std::vector<EncoderToken>> inputs;
  for (const TextOrPair& text : texts) {
    QUERN_TRY(std::vector<EncoderToken> input, session.read(text.first, text.second, too_long));
    inputs.push_back(std::move(input));
  }
  std::vector<std::vector<LabelScore>> results(texts.size());
  const auto receive = [&](size_t index, const Tensor& logits) {
    results[index] = scores_of(logits.span<float>(), session.config());
  };
  session.run(inputs, true, receive, progress);
  return results;
}

}  // namespace quern::infer
