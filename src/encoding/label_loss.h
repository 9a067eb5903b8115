// Losses of labels, with their gradients by the scores (logits) of a model. All in nats, or squares.
#pragma once

#include <cstdint>
#include <span>

namespace quern::encoding {

// Adds factor * d loss / d scores to `gradient`, which is as long as `scores`, and returns the loss.

// -log softmax(scores)[label].
double softmax_loss(std::span<const double> scores, int64_t label, double factor, std::span<double> gradient);
// The mean over labels of the binary cross-entropy of s(score) with `wanted`, 0 or 1.
double sigmoid_loss(std::span<const double> scores, std::span<const double> wanted, double factor,
                    std::span<double> gradient);
// The mean of (score - wanted)^2.
double square_loss(std::span<const double> scores, std::span<const double> wanted, double factor,
                   std::span<double> gradient);

// The first of the largest.
int64_t largest(std::span<const double> scores);

}  // namespace quern::encoding
