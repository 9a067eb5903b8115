#include "encoding/answer_spans.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <map>
#include <sstream>

#include "autograd/graph.h"
#include "base/ascii.h"
#include "encoding/label_loss.h"

namespace quern::encoding {

namespace {

constexpr size_t kLongestAnswer = 30;  // tokens

std::vector<std::string> words_of(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

}  // namespace

std::string normalized_answer(std::string_view text) {
  std::string kept;
  for (const char c : to_lower(text))
    if (!std::ispunct(static_cast<unsigned char>(c))) kept += c;
  std::string result;
  for (const std::string& word : words_of(kept)) {
    if (word == "a" || word == "an" || word == "the") continue;
    result += (result.empty() ? "" : " ") + word;
  }
  return result;
}

double word_f1(std::string_view said, std::string_view wanted) {
  const std::vector<std::string> a = words_of(normalized_answer(said)),
                                 b = words_of(normalized_answer(wanted));
  if (a.empty() || b.empty()) return a.empty() && b.empty() ? 1.0 : 0.0;
  std::map<std::string, int64_t> left;
  for (const std::string& word : b) ++left[word];
  int64_t common = 0;
  for (const std::string& word : a) common += left[word]-- > 0;
  return 2.0 * static_cast<double>(common) / static_cast<double>(a.size() + b.size());
}

std::vector<ContextWindow> windows_of(const infer::EncoderText& text, text::Span answer, size_t asked,
                                      const WindowOptions& options) {
  const int64_t room = options.longest - text.special() - text.size(0);
  std::vector<ContextWindow> windows;
  if (room < 1) return windows;
  const int64_t shared = std::clamp<int64_t>(options.stride, 0, room - 1);
  for (int64_t begin = 0; begin < text.size(1); begin += room - shared) {
    const std::vector<infer::EncoderToken> tokens = text.window(begin, begin + room);
    ContextWindow& window = windows.emplace_back();
    window.text = TextTokens::of(tokens);
    window.asked = asked;
    int32_t first = 0, last = 0;
    bool begins = false, ends = false;
    for (size_t t = 0; t < tokens.size(); ++t) {
      window.spans.push_back(tokens[t].part == 1 ? tokens[t].span : text::Span{});
      if (tokens[t].part != 1 || answer.begin == answer.end) continue;
      const text::Span& span = tokens[t].span;
      if (!begins && span.end > answer.begin && span.begin <= answer.begin) {
        begins = true;
        first = static_cast<int32_t>(t);
      }
      if (span.begin < answer.end && span.end >= answer.end) {
        ends = true;
        last = static_cast<int32_t>(t);
      }
    }
    if (begins && ends && first <= last) {
      window.begin = first;
      window.end = last;
    }
    if (begin + room >= text.size(1)) break;
  }
  return windows;
}

AnswerSpans::AnswerSpans(const model::Encoder& model, std::vector<AskedContext> asked,
                         std::vector<ContextWindow> windows)
    : model_(&model), asked_(std::move(asked)), windows_(std::move(windows)) {
  may_be_none_ = std::ranges::any_of(asked_, [](const AskedContext& one) { return one.answers.empty(); });
}

void AnswerSpans::clear() {
  sum_ = 0.0;
  count_ = right_ = 0;
  constexpr double kNothing = -std::numeric_limits<double>::infinity();
  best_.assign(asked_.size(), {kNothing, -kNothing, {}});
}

void AnswerSpans::add(std::span<const int64_t> chosen, const EncoderPass& pass, double weight) {
  std::vector<const TextTokens*> texts;
  for (const int64_t i : chosen) texts.push_back(&windows_[static_cast<size_t>(i)].text);
  const TextBatch batch(texts, model_->config(), pass);
  const Tensor outputs = model_->head(model_->hidden(batch.tokens, batch.context, batch.types), pass.dropout);
  const std::vector<double> scores = doubles_of(outputs);
  std::vector<double> gradient(scores.size());
  const auto time = static_cast<size_t>(outputs.dim(1));
  for (size_t row = 0; row < chosen.size(); ++row) {
    const ContextWindow& window = windows_[static_cast<size_t>(chosen[row])];
    const auto length = static_cast<size_t>(window.text.size());
    std::vector<double> places[2], slopes[2];
    for (size_t side = 0; side < 2; ++side) {
      for (size_t t = 0; t < length; ++t) places[side].push_back(scores[(row * time + t) * 2 + side]);
      slopes[side].resize(length);
      sum_ +=
          softmax_loss(places[side], side == 0 ? window.begin : window.end, weight / 2.0, slopes[side]) / 2.0;
      for (size_t t = 0; t < length; ++t) gradient[(row * time + t) * 2 + side] = slopes[side][t];
    }
    ++count_;
    right_ += largest(places[0]) == window.begin && largest(places[1]) == window.end;
    if (!autograd::grad_enabled()) note_best(window, places[0], places[1]);
  }
  backward_from(outputs, gradient);
}

void AnswerSpans::note_best(const ContextWindow& window, std::span<const double> begins,
                            std::span<const double> ends) {
  Best& best = best_[window.asked];
  best.none = std::min(best.none, begins[0] + ends[0]);
  const auto is_context = [&](size_t t) { return window.spans[t].end > window.spans[t].begin; };
  for (size_t begin = 0; begin < begins.size(); ++begin) {
    if (!is_context(begin)) continue;
    for (size_t end = begin; end < std::min(begins.size(), begin + kLongestAnswer) && is_context(end);
         ++end) {
      const double score = begins[begin] + ends[end];
      if (score > best.score) {
        best.score = score;
        best.span = {window.spans[begin].begin, window.spans[end].end};
      }
    }
  }
}

std::vector<train::Figure> AnswerSpans::figures() const {
  return {{"accuracy", static_cast<double>(right_) / static_cast<double>(count_)}};
}

std::vector<train::Figure> AnswerSpans::evaluation_figures() const {
  double exact = 0.0, f1 = 0.0;
  for (size_t i = 0; i < asked_.size(); ++i) {
    const Best& best = best_[i];
    const bool none = may_be_none_ && best.none > best.score;
    const std::string said =
        none ? "" : asked_[i].context.substr(best.span.begin, best.span.end - best.span.begin);
    const std::vector<std::string> nothing{""};
    double most_exact = 0.0, most_f1 = 0.0;
    for (const std::string& wanted : asked_[i].answers.empty() ? nothing : asked_[i].answers) {
      most_exact = std::max(most_exact, normalized_answer(said) == normalized_answer(wanted) ? 1.0 : 0.0);
      most_f1 = std::max(most_f1, word_f1(said, wanted));
    }
    exact += most_exact;
    f1 += most_f1;
  }
  const auto count = static_cast<double>(asked_.size());
  std::vector<train::Figure> all = figures();
  all.emplace_back("exact_match", exact / count);
  all.emplace_back("f1", f1 / count);
  return all;
}

}  // namespace quern::encoding
