// What the files of predict.h share.
#pragma once

#include <cmath>
#include <vector>

#include "infer/predict.h"

namespace quern::infer {

// conflict unless the model has this head.
Result<void> expect_head(const EncoderSession& session, model::Head wanted);

// Every text as the model reads it.
Result<std::vector<std::vector<EncoderToken>>> read_all(const EncoderSession& session,
                                                        std::span<const std::string> texts, TooLong too_long);

std::vector<double> softmax(std::span<const float> logits);
inline double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// Row t of [T, outputs].
std::span<const float> row_of(const Tensor& outputs, size_t t);

}  // namespace quern::infer
