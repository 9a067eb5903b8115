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

// The parts of embed(), for those who run the session themselves. invalid_argument where the model cannot pool so.
Result<void> check_form(const SentenceForm& form, const model::ModelConfig& config);
// Whether run() is to give what the head makes of the states.
bool pools_by_head(const SentenceForm& form);
// The vector of a text, of what run() gave for it.
Embedding pooled(const Tensor& result, const SentenceForm& form);
// To length 1, but vectors of length 0.
void normalize(Embedding& embedding);

// The cosine of the angle between vectors of one length; 0 where one of them is 0.
double cosine(std::span<const float> a, std::span<const float> b);

}  // namespace quern::infer
