#include "eval/evaluation_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/unicode.h"

namespace quern::eval {

EvaluationText evaluation_text(const text::Tokenizer& tokenizer, std::string_view text, bool allow_special) {
  EvaluationText result;
  result.text = text::repair_utf8(text).text;
  const std::vector<text::TokenId> added = tokenizer.encode("");
  const std::optional<text::TokenId>& bos = tokenizer.special_ids().bos;
  if (!added.empty() && bos && added.front() == *bos) {
    result.bos = *bos;
    result.tokens.push_back(*bos);
    result.spans.emplace_back();
  }
  for (const text::TokenSpan& token : tokenizer.encode_with_spans(
           result.text, {.add_special_tokens = false, .allow_special = allow_special})) {
    result.tokens.push_back(token.id);
    result.spans.push_back(token.span);
  }
  return result;
}

void WindowOptions::fields(Fields& f) {
  f.add("method", method, "how the text is cut",
        {{"chunks", WindowMethod::chunks}, {"sliding", WindowMethod::sliding}});
  f.add("context", context, "tokens of a window").at_least(4);
  f.add("stride", stride, "tokens from one sliding window to the next; 0: half the context").at_least(0);
  f.add("chunks", chunks, "windows from the start of the text; 0: all").at_least(0);
}

namespace {

Result<void> check(int64_t tokens, const WindowOptions& options) {
  const bool sliding = options.method == WindowMethod::sliding;
  const int64_t least = sliding ? 2 : options.context;
  if (options.context < 4)
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("expected a context of at least 4 tokens, got {}", options.context));
  if (options.stride != 0 && !sliding) {
    return make_error(ErrorCode::invalid_argument, "a stride has no meaning for chunks",
                      "add --method sliding");
  }
  if (options.stride < 0 || options.stride > options.context) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("expected a stride from 1 to the context ({}), got {}", options.context, options.stride));
  }
  if (tokens < least) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the text has {} tokens, but one window takes {}", tokens, least),
                      sliding ? "give a longer text" : "give a longer text, or lower --context");
  }
  return {};
}

}  // namespace

Result<std::vector<Window>> windows_over(int64_t tokens, const WindowOptions& options) {
  QUERN_CHECK(check(tokens, options));
  const int64_t context = options.context;
  std::vector<Window> windows;
  const auto wanted = [&] {
    return options.chunks == 0 || static_cast<int64_t>(windows.size()) < options.chunks;
  };
  if (options.method == WindowMethod::chunks) {
    for (int64_t begin = 0; begin + context <= tokens && wanted(); begin += context)
      windows.push_back({begin, begin + context / 2 + 1, begin + context});
    return windows;
  }
  const int64_t stride = options.stride > 0 ? options.stride : context / 2;
  for (int64_t begin = 0, end = 0; end < tokens && wanted(); begin += stride) {
    const int64_t scored = std::max(end, begin + 1);
    end = std::min(begin + context, tokens);
    if (scored < end) windows.push_back({begin, scored, end});
  }
  return windows;
}

std::vector<int32_t> shown_tokens(const EvaluationText& text, const Window& window, WindowMethod method) {
  std::vector<int32_t> tokens(text.tokens.begin() + window.begin, text.tokens.begin() + window.end);
  if (method == WindowMethod::chunks && text.bos) tokens.front() = *text.bos;
  return tokens;
}

}  // namespace quern::eval
