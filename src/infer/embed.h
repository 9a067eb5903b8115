// Texts as vectors whose angles tell how near their meanings are (Reimers and Gurevych 2019, arXiv 1908.10084).
#pragma once

#include <string>

#include "infer/encoder_session.h"
#include "infer/sentence_form.h"

namespace quern::infer {

using Embedding = std::vector<float>;

// One vector for each text, in their order. invalid_argument for texts that are too long, and for Pooling::pooler of a
// model without one.
Result<std::vector<Embedding>> embed(const EncoderSession& session, std::span<const std::string> texts,
                                     const SentenceForm& form, TooLong too_long,
                                     Progress& progress = null_progress());

// The cosine of the angle between vectors of one length; 0 where one of them is 0.
double cosine(std::span<const float> a, std::span<const float> b);

}  // namespace quern::infer
