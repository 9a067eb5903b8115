// Answers out of a context: where they begin and where they end (Rajpurkar et al. 2016, arXiv 1606.05250).
#pragma once

#include <string>

#include "encoding/encoder_criterion.h"
#include "infer/encoder_text.h"
#include "model/encoder.h"

namespace quern::encoding {

// A question with its context, of which a model reads windows.
struct AskedContext {
  std::string context;
  std::vector<std::string> answers;  // any of them is right; none: the context does not say
};

struct ContextWindow {
  TextTokens text;
  size_t asked = 0;               // index of the question
  std::vector<text::Span> spans;  // of each token in the context; empty ones of tokens that are not of it
  // Of the first answer; both 0, the first token, where the window has not all of it.
  int32_t begin = 0, end = 0;
};

struct WindowOptions {
  int64_t longest = 384;  // tokens of question and context together
  int64_t stride = 128;   // tokens that a window shares with the one before
};

// The windows of a question, whose first answer stands at `answer` in the context; none where the question leaves no room.
std::vector<ContextWindow> windows_of(const infer::EncoderText& text, text::Span answer, size_t asked,
                                      const WindowOptions& options);

// The mean over windows of the cross-entropy of both places, over the tokens of a window. Evaluations take the best span of
// all windows of a question, of at most 30 tokens, or none where the first tokens score more and there are questions
// without an answer; their figures are exact_match and f1 as SQuAD has them.
class AnswerSpans final : public EncoderCriterion {
 public:
  // The model must outlive it, and have the head question_answering.
  AnswerSpans(const model::Encoder& model, std::vector<AskedContext> asked,
              std::vector<ContextWindow> windows);

  int64_t size() const override { return static_cast<int64_t>(windows_.size()); }
  int64_t length(int64_t example) const override {
    return windows_[static_cast<size_t>(example)].text.size();
  }
  void clear() override;
  void add(std::span<const int64_t> chosen, const EncoderPass& pass, double weight) override;
  double loss() const override { return sum_ / static_cast<double>(count_); }
  std::vector<train::Figure> figures() const override;
  std::vector<train::Figure> evaluation_figures() const override;

 private:
  struct Best {
    double score, none;  // of the best span of any window; the least of none
    text::Span span;
  };
  void note_best(const ContextWindow& window, std::span<const double> begins, std::span<const double> ends);

  const model::Encoder* model_;
  std::vector<AskedContext> asked_;
  std::vector<ContextWindow> windows_;
  bool may_be_none_ = false;
  double sum_ = 0.0;
  int64_t count_ = 0, right_ = 0;
  std::vector<Best> best_;
};

// SQuAD's: without case, punctuation, articles and repeated white space.
std::string normalized_answer(std::string_view text);
// Of words that both have, as often as both have them; of two texts without words 1.
double word_f1(std::string_view said, std::string_view wanted);

}  // namespace quern::encoding
