// Labels of whole texts, or of pairs of them: one of several, each by itself, or a number.
#pragma once

#include "encoding/encoder_criterion.h"
#include "encoding/label_counts.h"
#include "model/encoder.h"

namespace quern::encoding {

struct LabelledText {
  TextTokens text;
  // Of the model's problem: single_label: the label's index; multi_label: 0 or 1 for each; regression: the numbers.
  std::vector<double> wanted;
};

// The loss that transformers takes for the problem of the model's config. Its figures: of one label, accuracy and macro_f1;
// of labels by themselves, macro_f1 and how often all of a text are right (exact); of numbers, in evaluations, pearson and
// spearman.
class SequenceLabels final : public EncoderCriterion {
 public:
  // The model must outlive it, and have the head sequence_classification.
  SequenceLabels(const model::Encoder& model, std::vector<LabelledText> texts);

  int64_t size() const override { return static_cast<int64_t>(texts_.size()); }
  int64_t length(int64_t example) const override { return texts_[static_cast<size_t>(example)].text.size(); }
  void clear() override;
  void add(std::span<const int64_t> chosen, const EncoderPass& pass, double weight) override;
  double loss() const override { return sum_ / static_cast<double>(count_); }
  std::vector<train::Figure> figures() const override;
  std::vector<train::Figure> evaluation_figures() const override;

 private:
  double judge(const LabelledText& text, std::span<const double> scores, double weight,
               std::span<double> gradient);

  const model::Encoder* model_;
  std::vector<LabelledText> texts_;
  double sum_ = 0.0;
  int64_t count_ = 0, right_ = 0;
  LabelCounts counts_;
  std::vector<double> said_, wanted_;  // of regressions
};

// Correlation of ranks (Spearman 1904): equal values share the mean of their ranks.
double rank_correlation(std::span<const double> a, std::span<const double> b);

}  // namespace quern::encoding
