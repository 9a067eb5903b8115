#include <algorithm>

#include "infer/predict_support.h"
#include "text/unicode.h"

namespace quern::infer {

namespace {

// Of a label such as "B-PER", what it says; labels without a prefix go on with what is before them.
struct Tag {
  bool begins = false;
  std::string_view label;

  explicit Tag(std::string_view name) : label(name) {
    if (!name.starts_with("B-") && !name.starts_with("I-")) return;
    begins = name.front() == 'B';
    label = name.substr(2);
  }
};

// The spans of one text, from the labels of its tokens.
class SpanBuilder {
 public:
  explicit SpanBuilder(std::string text) : text_(std::move(text)) {}

  void add(const EncoderToken& token, std::string_view name, double probability) {
    const Tag tag(name);
    if (name == "O") {
      close();
      return;
    }
    if (tag.begins || tokens_ == 0 || open_.label != tag.label) {
      close();
      open_.label = tag.label;
      open_.span.begin = token.span.begin;
    }
    open_.span.end = token.span.end;
    open_.score += probability;
    ++tokens_;
  }
  std::vector<LabelledSpan> finish() {
    close();
    return std::move(spans_);
  }

 private:
  void close() {
    if (tokens_ > 0) {
      open_.score /= static_cast<double>(tokens_);
      open_.text = text_.substr(open_.span.begin, open_.span.end - open_.span.begin);
      spans_.push_back(open_);
    }
    open_ = {};
    tokens_ = 0;
  }

  std::string text_;
  LabelledSpan open_;
  int64_t tokens_ = 0;
  std::vector<LabelledSpan> spans_;
};

}  // namespace

Result<std::vector<std::vector<LabelledSpan>>> label_spans(const EncoderSession& session,
                                                           std::span<const std::string> texts,
                                                           TooLong too_long, Progress& progress) {
  QUERN_CHECK(expect_head(session, model::Head::token_classification));
  QUERN_TRY(const auto inputs, read_all(session, texts, too_long));
  std::vector<std::vector<LabelledSpan>> results(texts.size());
  const auto receive = [&](size_t index, const Tensor& logits) {
    SpanBuilder builder(text::repair_utf8(texts[index]).text);
    for (size_t t = 0; t < inputs[index].size(); ++t) {
      if (inputs[index][t].part < 0) continue;
      const std::vector<double> probabilities = softmax(row_of(logits, t));
      const auto best = static_cast<size_t>(std::ranges::max_element(probabilities) - probabilities.begin());
      builder.add(inputs[index][t], session.config().labels[best], probabilities[best]);
    }
    results[index] = builder.finish();
  };
  session.run(inputs, true, receive, progress);
  return results;
}

Result<std::vector<std::vector<TokenScore>>> detect_replaced(const EncoderSession& session,
                                                             std::span<const std::string> texts,
                                                             TooLong too_long, Progress& progress) {
  QUERN_CHECK(expect_head(session, model::Head::discriminator));
  QUERN_TRY(const auto inputs, read_all(session, texts, too_long));
  std::vector<std::vector<TokenScore>> results(texts.size());
  const auto receive = [&](size_t index, const Tensor& logits) {
    const std::string text = text::repair_utf8(texts[index]).text;
    for (size_t t = 0; t < inputs[index].size(); ++t) {
      const EncoderToken& token = inputs[index][t];
      if (token.part < 0) continue;
      results[index].push_back({text.substr(token.span.begin, token.span.end - token.span.begin), token.span,
                                sigmoid(row_of(logits, t)[0])});
    }
  };
  session.run(inputs, true, receive, progress);
  return results;
}

}  // namespace quern::infer
