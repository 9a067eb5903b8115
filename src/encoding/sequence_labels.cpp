#include "encoding/sequence_labels.h"

#include <algorithm>
#include <numeric>

#include "encoding/label_loss.h"
#include "eval/statistics.h"

namespace quern::encoding {

using model::Problem;

namespace {

std::vector<double> ranks_of(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) { return values[i]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (size_t i = begin; i < end; ++i) ranks[order[i]] = static_cast<double>(begin + end - 1) / 2.0;
  }
  return ranks;
}

}  // namespace

double rank_correlation(std::span<const double> a, std::span<const double> b) {
  return eval::correlation(ranks_of(a), ranks_of(b));
}

SequenceLabels::SequenceLabels(const model::Encoder& model, std::vector<LabelledText> texts)
    : model_(&model), texts_(std::move(texts)), counts_(model.config().labels.size()) {}

void SequenceLabels::clear() {
  sum_ = 0.0;
  count_ = right_ = 0;
  counts_ = LabelCounts(model_->config().labels.size());
  said_.clear();
  wanted_.clear();
}

void SequenceLabels::add(std::span<const int64_t> chosen, const EncoderPass& pass, double weight) {
  std::vector<const TextTokens*> texts;
  for (const int64_t i : chosen) texts.push_back(&texts_[static_cast<size_t>(i)].text);
  const TextBatch batch(texts, model_->config(), pass);
  const Tensor outputs = model_->head(model_->hidden(batch.tokens, batch.context, batch.types), pass.dropout);
  const std::vector<double> scores = doubles_of(outputs);
  std::vector<double> gradient(scores.size());
  const auto width = static_cast<size_t>(outputs.dim(1));
  for (size_t row = 0; row < chosen.size(); ++row) {
    sum_ += judge(texts_[static_cast<size_t>(chosen[row])], std::span(scores).subspan(row * width, width),
                  weight, std::span(gradient).subspan(row * width, width));
    ++count_;
  }
  backward_from(outputs, gradient);
}

double SequenceLabels::judge(const LabelledText& text, std::span<const double> scores, double weight,
                             std::span<double> gradient) {
  const std::vector<double>& wanted = text.wanted;
  switch (model_->config().problem) {
    case Problem::single_label: {
      const auto label = static_cast<int64_t>(wanted[0]), said = largest(scores);
      right_ += said == label;
      for (size_t i = 0; i < scores.size(); ++i)
        counts_.add(i, static_cast<int64_t>(i) == label, static_cast<int64_t>(i) == said);
      return softmax_loss(scores, label, weight, gradient);
    }
    case Problem::multi_label: {
      bool all = true;
      for (size_t i = 0; i < scores.size(); ++i) {
        const bool there = wanted[i] > 0.5, said = scores[i] > 0.0;
        counts_.add(i, there, said);
        all = all && there == said;
      }
      right_ += all;
      return sigmoid_loss(scores, wanted, weight, gradient);
    }
    case Problem::regression:
      said_.insert(said_.end(), scores.begin(), scores.end());
      wanted_.insert(wanted_.end(), wanted.begin(), wanted.end());
      return square_loss(scores, wanted, weight, gradient);
  }
  return 0.0;
}

std::vector<train::Figure> SequenceLabels::figures() const {
  if (model_->config().problem == Problem::regression) return {};
  const double share = static_cast<double>(right_) / static_cast<double>(count_);
  return {{model_->config().problem == Problem::single_label ? "accuracy" : "exact", share},
          {"macro_f1", counts_.macro_f1()}};
}

std::vector<train::Figure> SequenceLabels::evaluation_figures() const {
  if (model_->config().problem != Problem::regression) return figures();
  return {{"pearson", eval::correlation(said_, wanted_)}, {"spearman", rank_correlation(said_, wanted_)}};
}

}  // namespace quern::encoding
