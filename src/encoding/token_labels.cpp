#include "encoding/token_labels.h"

#include <algorithm>

#include "encoding/label_loss.h"

namespace quern::encoding {

int64_t TokenLabels::targets(std::span<const int64_t> chosen, uint64_t) const {
  int64_t count = 0;
  for (const int64_t i : chosen) {
    const std::vector<int32_t>& labels = texts_[static_cast<size_t>(i)].labels;
    count += std::ranges::count_if(labels, [](int32_t label) { return label >= 0; });
  }
  return count;
}

void TokenLabels::add(std::span<const int64_t> chosen, const EncoderPass& pass, double weight) {
  std::vector<const TextTokens*> texts;
  for (const int64_t i : chosen) texts.push_back(&texts_[static_cast<size_t>(i)].text);
  const TextBatch batch(texts, model_->config(), pass);
  const Tensor outputs = model_->head(model_->hidden(batch.tokens, batch.context, batch.types), pass.dropout);
  const std::vector<double> scores = doubles_of(outputs);
  std::vector<double> gradient(scores.size());
  const auto time = static_cast<size_t>(outputs.dim(1)), width = static_cast<size_t>(outputs.dim(2));
  const std::vector<std::string>& names = model_->config().labels;
  for (size_t row = 0; row < chosen.size(); ++row) {
    const std::vector<int32_t>& labels = texts_[static_cast<size_t>(chosen[row])].labels;
    std::vector<std::string_view> there, said;
    for (size_t t = 0; t < labels.size(); ++t) {
      if (labels[t] < 0) continue;
      const auto of_token = std::span<const double>(scores).subspan((row * time + t) * width, width);
      const int64_t best = largest(of_token);
      sums_.loss += softmax_loss(of_token, labels[t], weight,
                                 std::span(gradient).subspan((row * time + t) * width, width));
      sums_.right += best == labels[t];
      ++sums_.tokens;
      there.push_back(names[static_cast<size_t>(labels[t])]);
      said.push_back(names[static_cast<size_t>(best)]);
    }
    sums_.entities.add(entities_of(there), entities_of(said));
  }
  backward_from(outputs, gradient);
}

std::vector<train::Figure> TokenLabels::figures() const {
  return {{"accuracy", static_cast<double>(sums_.right) / static_cast<double>(sums_.tokens)}};
}

std::vector<train::Figure> TokenLabels::evaluation_figures() const {
  std::vector<train::Figure> all = figures();
  all.emplace_back("precision", sums_.entities.precision());
  all.emplace_back("recall", sums_.entities.recall());
  all.emplace_back("f1", sums_.entities.f1());
  return all;
}

}  // namespace quern::encoding
