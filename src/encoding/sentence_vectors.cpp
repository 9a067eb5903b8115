#include "encoding/sentence_vectors.h"

#include <algorithm>

#include "autograd/graph.h"
#include "encoding/pooled_states.h"
#include "encoding/sequence_labels.h"
#include "eval/statistics.h"
#include "infer/embed.h"

namespace quern::encoding {

SentenceVectors::SentenceVectors(const model::Encoder& model, infer::SentenceForm form,
                                 std::vector<RelatedTexts> examples, const SentenceLossOptions& options,
                                 bool judged)
    : model_(&model),
      form_(std::move(form)),
      examples_(std::move(examples)),
      options_(options),
      judged_(judged) {}

int64_t SentenceVectors::length(int64_t example) const {
  int64_t longest = 0;
  for (const TextTokens& text : examples_[static_cast<size_t>(example)].texts)
    longest = std::max(longest, text.size());
  return longest;
}

bool SentenceVectors::beside_each_other() const {
  return options_.kind == SentenceLossKind::ranking || options_.kind == SentenceLossKind::cosent;
}

void SentenceVectors::describe(train::Fingerprint& print) const {
  print["embed"] = {static_cast<int>(options_.kind), options_.scale, options_.margin};
}

void SentenceVectors::clear() {
  sum_ = 0.0;
  count_ = right_ = 0;
  cosines_.clear();
  scores_.clear();
}

std::vector<const TextTokens*> SentenceVectors::side(std::span<const int64_t> chosen, size_t which) const {
  std::vector<const TextTokens*> texts;
  for (const int64_t i : chosen) {
    const RelatedTexts& example = examples_[static_cast<size_t>(i)];
    if (which < example.texts.size()) texts.push_back(&example.texts[which]);
  }
  return texts;
}

// wide [B, C]. Each side of the examples drops elements of its own.
Tensor SentenceVectors::vectors(std::span<const TextTokens* const> texts, const EncoderPass& pass,
                                uint64_t which) const {
  TextBatch batch(texts, model_->config(), pass);
  batch.context.dropout.seed ^= which << 40;
  const Tensor states = model_->hidden(batch.tokens, batch.context, batch.types);
  return infer::pools_by_head(form_) ? model_->head(states)
                                     : pooled_states(states, batch.lengths, form_.pooling);
}

void SentenceVectors::add(std::span<const int64_t> chosen, const EncoderPass& pass, double weight) {
  // Passes of one example after the other: each with the randomness of a pass of its own.
  struct Part {
    size_t side, begin, count;
    EncoderPass pass;
  };
  const size_t rows = pass.rows > 0 ? std::min(static_cast<size_t>(pass.rows), chosen.size()) : chosen.size();
  std::vector<Part> parts;
  std::vector<const TextTokens*> texts[3];
  for (size_t which = 0; which < 3; ++which) {
    texts[which] = side(chosen, which);
    for (size_t begin = 0; begin < texts[which].size(); begin += rows) {
      Part& part = parts.emplace_back(Part{which, begin, std::min(rows, texts[which].size() - begin), pass});
      part.pass.dropout.step += begin / rows;
    }
  }
  const auto run = [&](const Part& part) {
    return vectors(std::span(texts[part.side]).subspan(part.begin, part.count), part.pass, part.side);
  };
  // Where everything fits in one pass of each side, it is run once.
  const bool once = rows == chosen.size();
  std::vector<Tensor> kept;
  std::vector<double> values[3];
  size_t width = 0;
  {
    const autograd::GradMode mode(once && autograd::grad_enabled());
    for (const Part& part : parts) {
      const Tensor made = run(part);
      width = static_cast<size_t>(made.dim(1));
      const std::vector<double> numbers = doubles_of(made.detached());
      values[part.side].insert(values[part.side].end(), numbers.begin(), numbers.end());
      if (once) kept.push_back(made);
    }
  }
  std::vector<double> scores;
  for (const int64_t i : chosen) scores.push_back(examples_[static_cast<size_t>(i)].score);
  const SentenceLoss loss =
      sentence_loss({values[0], width}, {values[1], width}, {values[2], width}, scores, options_);
  sum_ += loss.sum;
  count_ += static_cast<int64_t>(chosen.size());
  right_ += loss.right;
  cosines_.insert(cosines_.end(), loss.cosines.begin(), loss.cosines.end());
  scores_.insert(scores_.end(), scores.begin(), scores.end());
  if (!autograd::grad_enabled()) return;
  for (size_t p = 0; p < parts.size(); ++p) {
    const Part& part = parts[p];
    std::vector<double> gradient(
        loss.gradients[part.side].begin() + static_cast<std::ptrdiff_t>(part.begin * width),
        loss.gradients[part.side].begin() + static_cast<std::ptrdiff_t>((part.begin + part.count) * width));
    for (double& slope : gradient) slope *= weight;
    backward_from(once ? kept[p] : run(part), gradient);
  }
}

double SentenceVectors::loss() const {
  return judged_ ? 1.0 - rank_correlation(cosines_, scores_) : sum_ / static_cast<double>(count_);
}

std::vector<train::Figure> SentenceVectors::figures() const {
  const bool ranks = options_.kind == SentenceLossKind::ranking || options_.kind == SentenceLossKind::triplet;
  if (!ranks || judged_) return {};
  return {{"accuracy", static_cast<double>(right_) / static_cast<double>(count_)}};
}

std::vector<train::Figure> SentenceVectors::evaluation_figures() const {
  const bool scored =
      judged_ || options_.kind == SentenceLossKind::cosine || options_.kind == SentenceLossKind::cosent;
  if (!scored) return figures();
  return {{"pearson", eval::correlation(cosines_, scores_)},
          {"spearman", rank_correlation(cosines_, scores_)}};
}

}  // namespace quern::encoding
