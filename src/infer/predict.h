// What encoders with heads say about texts: words for masks, labels of texts and of spans, answers, replaced tokens.
//
// Each function is for models of one head: others give `conflict`, with the head there is. Texts that are too long are
// invalid_argument unless `too_long` says otherwise; long contexts of questions are read in windows.
#pragma once

#include <string>

#include "infer/encoder_session.h"

namespace quern::infer {

// A text, or two that belong together.
struct TextOrPair {
  std::string first;
  std::optional<std::string> second = {};
};

struct Candidate {
  int32_t token = 0;
  std::string text;  // of the token
  double probability = 0.0;
};
// For each mask of a text, in order, the `top` likeliest tokens. invalid_argument for a text without a mask, which
// says what the model's looks like.
using FilledMasks = std::vector<std::vector<Candidate>>;
Result<std::vector<FilledMasks>> fill_masks(const EncoderSession& session, std::span<const std::string> texts,
                                            int64_t top, TooLong too_long,
                                            Progress& progress = null_progress());
// What a mask looks like in text; not_found when the tokenizer names none.
Result<std::string> mask_token(const text::Tokenizer& tokenizer);

struct LabelScore {
  std::string label;
  double score = 0.0;  // a probability; of a regression the number itself
};
// All labels of each text, the likeliest first; of regressions in the model's order.
Result<std::vector<std::vector<LabelScore>>> classify(const EncoderSession& session,
                                                      std::span<const TextOrPair> texts, TooLong too_long,
                                                      Progress& progress = null_progress());

struct LabelledSpan {
  std::string label;     // without B- and I-
  double score = 0.0;    // mean probability of its tokens' labels
  text::Span span = {};  // bytes of the text
  std::string text;
};
// Neighbouring tokens of one label as one span, in order; B- begins another, and tokens of O belong to none.
Result<std::vector<std::vector<LabelledSpan>>> label_spans(const EncoderSession& session,
                                                           std::span<const std::string> texts,
                                                           TooLong too_long,
                                                           Progress& progress = null_progress());

struct TokenScore {
  std::string text;
  text::Span span = {};
  double probability = 0.0;
};
// How likely each token of a text was replaced (a discriminator's head).
Result<std::vector<std::vector<TokenScore>>> detect_replaced(const EncoderSession& session,
                                                             std::span<const std::string> texts,
                                                             TooLong too_long,
                                                             Progress& progress = null_progress());

struct Answer {
  std::string text;
  text::Span span = {};  // bytes of the context
  double score = 0.0;    // probability of its beginning times that of its end, within its window
};
struct AnswerOptions {
  int64_t window = 384;  // tokens of question and context together that are read at once
  int64_t stride = 128;  // tokens that a window shares with the one before
  int64_t longest = 15;  // tokens of an answer
  int64_t top = 1;       // answers
};
// The best answers, the likeliest first; none for a context without tokens. invalid_argument for a question that leaves
// no room for the context.
Result<std::vector<Answer>> answer(const EncoderSession& session, const std::string& question,
                                   const std::string& context, const AnswerOptions& options,
                                   Progress& progress = null_progress());

}  // namespace quern::infer
