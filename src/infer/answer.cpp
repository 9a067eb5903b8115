// Answers to questions out of a context (Rajpurkar et al. 2016, arXiv 1606.05250): the likeliest span.
#include <fmt/format.h>

#include <algorithm>

#include "infer/predict_support.h"

namespace quern::infer {

namespace {

using Tokens = std::vector<EncoderToken>;

// Of each token how likely the answer begins there (output 0) or ends (1): among the tokens of the context and the
// first, which stands for no answer.
std::vector<double> probabilities_of(const Tokens& tokens, const Tensor& logits, int64_t output) {
  std::vector<float> seen;
  for (size_t t = 0; t < tokens.size(); ++t) {
    const bool counts = tokens[t].part == 1 || t == 0;
    seen.push_back(counts ? row_of(logits, t)[static_cast<size_t>(output)] : -1e4f);
  }
  std::vector<double> result = softmax(seen);
  result.front() = 0.0;
  return result;
}

void add_answers(const Tokens& tokens, const Tensor& logits, const AnswerOptions& options,
                 const std::string& context, std::vector<Answer>& answers) {
  const std::vector<double> begins = probabilities_of(tokens, logits, 0),
                            ends = probabilities_of(tokens, logits, 1);
  for (size_t begin = 0; begin < tokens.size(); ++begin) {
    if (tokens[begin].part != 1) continue;
    const size_t last = std::min(tokens.size(), begin + static_cast<size_t>(options.longest));
    for (size_t end = begin; end < last && tokens[end].part == 1; ++end) {
      const text::Span span{tokens[begin].span.begin, tokens[end].span.end};
      answers.push_back({context.substr(span.begin, span.end - span.begin), span, begins[begin] * ends[end]});
    }
  }
  // The best of each span, of this window and those before.
  std::ranges::stable_sort(answers, std::greater{}, &Answer::score);
  std::vector<Answer> best;
  for (Answer& answer : answers) {
    if (static_cast<int64_t>(best.size()) == options.top) break;
    const auto same = [&](const Answer& other) { return other.span == answer.span; };
    if (std::ranges::none_of(best, same)) best.push_back(std::move(answer));
  }
  answers = std::move(best);
}

}  // namespace

Result<std::vector<Answer>> answer(const EncoderSession& session, const std::string& question,
                                   const std::string& context, const AnswerOptions& options,
                                   Progress& progress) {
  QUERN_CHECK(expect_head(session, model::Head::question_answering));
  const EncoderText text(session.tokenizer(), question, context);
  const int64_t limit = std::min(options.window, session.longest());
  const int64_t around = text.special() + text.size(0), room = limit - around;
  if (room < 1) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the question and special tokens take {} of {} tokens", around, limit),
                      "shorten the question, or raise --window");
  }
  const int64_t shared = std::clamp<int64_t>(options.stride, 0, room - 1);
  std::vector<Tokens> windows;
  for (int64_t begin = 0; begin < text.size(1); begin += room - shared) {
    windows.push_back(text.window(begin, begin + room));
    if (begin + room >= text.size(1)) break;
  }
  std::vector<Answer> answers;
  std::vector<Tensor> logits(windows.size());
  session.run(
      windows, true, [&](size_t index, const Tensor& result) { logits[index] = result; }, progress);
  for (size_t i = 0; i < windows.size(); ++i)
    add_answers(windows[i], logits[i], options, text.text(1), answers);
  return answers;
}

}  // namespace quern::infer
