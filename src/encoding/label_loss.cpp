#include "encoding/label_loss.h"

#include <algorithm>
#include <cmath>

namespace quern::encoding {

int64_t largest(std::span<const double> scores) { return std::ranges::max_element(scores) - scores.begin(); }

double softmax_loss(std::span<const double> scores, int64_t label, double factor,
                    std::span<double> gradient) {
  const double most = scores[static_cast<size_t>(largest(scores))];
  double sum = 0.0;
  for (const double score : scores) sum += std::exp(score - most);
  for (size_t i = 0; i < scores.size(); ++i) gradient[i] += factor * std::exp(scores[i] - most) / sum;
  gradient[static_cast<size_t>(label)] -= factor;
  return most + std::log(sum) - scores[static_cast<size_t>(label)];
}

double sigmoid_loss(std::span<const double> scores, std::span<const double> wanted, double factor,
                    std::span<double> gradient) {
  const auto count = static_cast<double>(scores.size());
  double loss = 0.0;
  for (size_t i = 0; i < scores.size(); ++i) {
    const double x = scores[i];
    loss += std::max(x, 0.0) - x * wanted[i] + std::log1p(std::exp(-std::fabs(x)));
    gradient[i] += factor / count * (1.0 / (1.0 + std::exp(-x)) - wanted[i]);
  }
  return loss / count;
}

double square_loss(std::span<const double> scores, std::span<const double> wanted, double factor,
                   std::span<double> gradient) {
  const auto count = static_cast<double>(scores.size());
  double loss = 0.0;
  for (size_t i = 0; i < scores.size(); ++i) {
    const double miss = scores[i] - wanted[i];
    loss += miss * miss;
    gradient[i] += 2.0 * factor / count * miss;
  }
  return loss / count;
}

}  // namespace quern::encoding
