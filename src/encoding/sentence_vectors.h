// Texts that belong together, learnt by the vectors that an encoder makes of them (Reimers and Gurevych 2019, arXiv
// 1908.10084).
#pragma once

#include "encoding/encoder_criterion.h"
#include "encoding/sentence_loss.h"
#include "infer/sentence_form.h"
#include "model/encoder.h"

namespace quern::encoding {

struct RelatedTexts {
  std::vector<TextTokens> texts;  // two, or three
  double score = 0.0;             // of two: how near they are
};

// Examples that stand beside each other in a step (SentenceLossKind::ranking, cosent) are embedded a few at a time, twice:
// once to learn what their vectors should become, and once to learn it, as in GradCache (Gao et al. 2021, arXiv
// 2101.06983); the gradient is that of the whole step. Its figures: accuracy, of ranking and triplet (how often the second
// text is the nearest of all there are); in evaluations of scored pairs, pearson and spearman of cosines with scores.
class SentenceVectors final : public EncoderCriterion {
 public:
  // The model must outlive it, and pool as `form` says (infer::check_form). `judged`: examples with scores that are not
  // learnt from them; their loss is then 1 - spearman.
  SentenceVectors(const model::Encoder& model, infer::SentenceForm form, std::vector<RelatedTexts> examples,
                  const SentenceLossOptions& options, bool judged = false);

  int64_t size() const override { return static_cast<int64_t>(examples_.size()); }
  int64_t length(int64_t example) const override;
  bool beside_each_other() const override;
  void describe(train::Fingerprint& print) const override;
  void clear() override;
  void add(std::span<const int64_t> chosen, const EncoderPass& pass, double weight) override;
  double loss() const override;
  std::vector<train::Figure> figures() const override;
  std::vector<train::Figure> evaluation_figures() const override;

 private:
  std::vector<const TextTokens*> side(std::span<const int64_t> chosen, size_t which) const;
  Tensor vectors(std::span<const TextTokens* const> texts, const EncoderPass& pass, uint64_t which) const;

  const model::Encoder* model_;
  infer::SentenceForm form_;
  std::vector<RelatedTexts> examples_;
  SentenceLossOptions options_;
  bool judged_;
  double sum_ = 0.0;
  int64_t count_ = 0, right_ = 0;
  std::vector<double> cosines_, scores_;
};

}  // namespace quern::encoding
