// Losses of sentence vectors, which bring texts of near meaning to near angles, with their gradients by the vectors.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace quern::encoding {

enum class SentenceLossKind : uint8_t {
  // Each anchor's own second text, among those of all anchors of the step and all third texts: the cross-entropy of
  // scale * cosine (van den Oord et al. 2018, arXiv 1807.03748; sentence-transformers' MultipleNegativesRankingLoss).
  ranking,
  triplet,  // max(0, margin + cosine(anchor, third) - cosine(anchor, second))
  cosine,   // (cosine - score)^2
  // log(1 + sum of exp(scale (cosine_j - cosine_i)) over pairs i, j of which i has the higher score (CoSENT)
  cosent,
};

struct SentenceLossOptions {
  SentenceLossKind kind = SentenceLossKind::ranking;
  double scale = 20.0;
  double margin = 0.5;
};

// Vectors of `width` numbers in a row: rows * width.
struct Vectors {
  std::span<const double> values;
  size_t width = 0;

  size_t rows() const { return width == 0 ? 0 : values.size() / width; }
  std::span<const double> operator[](size_t row) const { return values.subspan(row * width, width); }
};

struct SentenceLoss {
  double sum = 0.0;             // over anchors; of cosent, of the step times its pairs
  int64_t right = 0;            // anchors whose second text is nearer than all others; of ranking and triplet
  std::vector<double> cosines;  // of each anchor with its second text
  std::vector<double> gradients[3];  // of the sum, by anchors, second and third texts
};

// Of anchors, as many second texts, and as many third ones or none. `scores`: of cosine and cosent.
SentenceLoss sentence_loss(const Vectors& anchors, const Vectors& seconds, const Vectors& thirds,
                           std::span<const double> scores, const SentenceLossOptions& options);

}  // namespace quern::encoding
