#include "encoding/sentence_loss.h"

#include <algorithm>
#include <cmath>

#include "encoding/label_loss.h"

namespace quern::encoding {

namespace {

double length_of(std::span<const double> x) {
  double sum = 0.0;
  for (const double value : x) sum += value * value;
  return std::sqrt(sum);
}

// A cosine, and where the gradients of its vectors go.
class Cosine {
 public:
  Cosine(std::span<const double> a, std::span<const double> b)
      : a_(a), b_(b), la_(length_of(a)), lb_(length_of(b)) {
    double dot = 0.0;
    for (size_t i = 0; i < a.size(); ++i) dot += a[i] * b[i];
    value_ = la_ * lb_ == 0.0 ? 0.0 : dot / (la_ * lb_);
  }
  double value() const { return value_; }
  // Adds slope * d cosine to the gradients of both.
  void back(double slope, std::span<double> da, std::span<double> db) const {
    if (slope == 0.0 || la_ * lb_ == 0.0) return;
    for (size_t i = 0; i < a_.size(); ++i) {
      da[i] += slope * (b_[i] / (la_ * lb_) - value_ * a_[i] / (la_ * la_));
      db[i] += slope * (a_[i] / (la_ * lb_) - value_ * b_[i] / (lb_ * lb_));
    }
  }

 private:
  std::span<const double> a_, b_;
  double la_, lb_, value_;
};

class SentenceJudge {
 public:
  SentenceJudge(const Vectors& anchors, const Vectors& seconds, const Vectors& thirds,
                std::span<const double> scores, const SentenceLossOptions& options)
      : sides_{anchors, seconds, thirds}, scores_(scores), options_(options) {
    for (size_t side = 0; side < 3; ++side) result_.gradients[side].resize(sides_[side].values.size());
    for (size_t i = 0; i < anchors.rows(); ++i)
      result_.cosines.push_back(Cosine(anchors[i], seconds[i]).value());
  }

  SentenceLoss run() {
    switch (options_.kind) {
      case SentenceLossKind::ranking:
        rank();
        break;
      case SentenceLossKind::triplet:
        compare();
        break;
      case SentenceLossKind::cosine:
        meet_scores();
        break;
      case SentenceLossKind::cosent:
        order();
        break;
    }
    return std::move(result_);
  }

 private:
  std::span<double> gradient(size_t side, size_t row) {
    return std::span(result_.gradients[side]).subspan(row * sides_[side].width, sides_[side].width);
  }

  void rank() {
    const size_t rows = sides_[0].rows(), all = rows + sides_[2].rows();
    for (size_t i = 0; i < rows; ++i) {
      std::vector<Cosine> cosines;
      std::vector<double> logits, slopes(all);
      for (size_t j = 0; j < all; ++j) {
        cosines.emplace_back(sides_[0][i], j < rows ? sides_[1][j] : sides_[2][j - rows]);
        logits.push_back(options_.scale * cosines.back().value());
      }
      result_.sum += softmax_loss(logits, static_cast<int64_t>(i), 1.0, slopes);
      result_.right += largest(logits) == static_cast<int64_t>(i);
      for (size_t j = 0; j < all; ++j) {
        const size_t side = j < rows ? 1 : 2;
        cosines[j].back(options_.scale * slopes[j], gradient(0, i), gradient(side, j < rows ? j : j - rows));
      }
    }
  }

  void compare() {
    for (size_t i = 0; i < sides_[0].rows(); ++i) {
      const Cosine near(sides_[0][i], sides_[1][i]), far(sides_[0][i], sides_[2][i]);
      const double miss = options_.margin + far.value() - near.value();
      result_.right += near.value() > far.value();
      if (miss <= 0.0) continue;
      result_.sum += miss;
      near.back(-1.0, gradient(0, i), gradient(1, i));
      far.back(1.0, gradient(0, i), gradient(2, i));
    }
  }

  void meet_scores() {
    for (size_t i = 0; i < sides_[0].rows(); ++i) {
      const Cosine cosine(sides_[0][i], sides_[1][i]);
      const double miss = cosine.value() - scores_[i];
      result_.sum += miss * miss;
      cosine.back(2.0 * miss, gradient(0, i), gradient(1, i));
    }
  }

  void order() {
    const size_t rows = sides_[0].rows();
    struct Pair {
      size_t higher, lower;
    };
    std::vector<Pair> pairs;
    std::vector<double> logits{0.0};  // the 1 of the logarithm
    for (size_t i = 0; i < rows; ++i) {
      for (size_t j = 0; j < rows; ++j) {
        if (scores_[i] <= scores_[j]) continue;
        pairs.push_back({i, j});
        logits.push_back(options_.scale * (result_.cosines[j] - result_.cosines[i]));
      }
    }
    std::vector<double> shares(logits.size()), slopes(rows);
    const double loss = softmax_loss(logits, 0, 1.0, shares);
    const auto count = static_cast<double>(rows);
    result_.sum = count * loss;
    for (size_t p = 0; p < pairs.size(); ++p) {
      slopes[pairs[p].higher] -= count * options_.scale * shares[p + 1];
      slopes[pairs[p].lower] += count * options_.scale * shares[p + 1];
    }
    for (size_t i = 0; i < rows; ++i)
      Cosine(sides_[0][i], sides_[1][i]).back(slopes[i], gradient(0, i), gradient(1, i));
  }

  Vectors sides_[3];
  std::span<const double> scores_;
  SentenceLossOptions options_;
  SentenceLoss result_;
};

}  // namespace

SentenceLoss sentence_loss(const Vectors& anchors, const Vectors& seconds, const Vectors& thirds,
                           std::span<const double> scores, const SentenceLossOptions& options) {
  return SentenceJudge(anchors, seconds, thirds, scores, options).run();
}

}  // namespace quern::encoding
