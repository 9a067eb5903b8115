// A text as the tokens that a model is scored on, and the windows of them that it is shown.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "text/tokenizer.h"

namespace quern::eval {

struct EvaluationText {
  std::vector<int32_t> tokens;    // begins with `bos` where there is one, and ends without an end token
  std::vector<text::Span> spans;  // the bytes of `text` that each token stands for
  std::optional<int32_t> bos;     // what the tokenizer puts before a text
  std::string text;               // valid UTF-8
};

// Tokens of `text` as a document. Special tokens written in it are ordinary text unless `allow_special`.
// Throws what Tokenizer::encode throws.
EvaluationText evaluation_text(const text::Tokenizer& tokenizer, std::string_view text, bool allow_special);

// How a text longer than the context is cut.
enum class WindowMethod {
  // Windows side by side; tokens of the second half of each count, so that all have half a context before
  // them, and each begins with BOS where the tokenizer puts one. The method of llama.cpp's perplexity tool.
  chunks,
  // Windows that begin every `stride` tokens; each counts the tokens that no window before it counted. The
  // method of https://huggingface.co/docs/transformers/perplexity
  sliding,
};

struct WindowOptions {
  WindowMethod method = WindowMethod::chunks;
  int64_t context = 512;  // tokens of a window
  int64_t stride = 0;     // sliding only; 0: half the context
  int64_t chunks = 0;     // how many windows from the start of the text; 0: all

  void fields(Fields& f);
};

// The model sees tokens [begin, end) of a text; those from `scored` on, which is past `begin`, count.
struct Window {
  int64_t begin = 0, scored = 0, end = 0;
  bool operator==(const Window&) const = default;
};

// Windows over `tokens` tokens. invalid_argument when they do not fill the first one (chunks) or are fewer
// than two, for a context of less than 4, a stride outside [1, context], or one where it has no meaning.
Result<std::vector<Window>> windows_over(int64_t tokens, const WindowOptions& options);

// What the model is shown of a window: its tokens, the first replaced by BOS in a chunk.
std::vector<int32_t> shown_tokens(const EvaluationText& text, const Window& window, WindowMethod method);

}  // namespace quern::eval
