// An encoder opened for use, and many texts run through it in batches.
#pragma once

#include <filesystem>
#include <functional>
#include <span>

#include "base/progress.h"
#include "infer/encoder_text.h"
#include "model/encoder.h"

namespace quern::infer {

struct LoadedEncoder {
  text::Tokenizer tokenizer;
  model::Encoder model;
};

// A Hugging Face folder or a GGUF file. Errors of load_encoder and open_language; conflict when the tokenizer has more
// tokens than the model.
Result<LoadedEncoder> open_encoder(const std::filesystem::path& path, DType compute_dtype);

// What becomes of a text that is longer than the model reads.
enum class TooLong : uint8_t { refuse, truncate };

class EncoderSession {
 public:
  // `loaded` must outlive the session. `longest`: tokens of one text at most; 0: as many as the model has positions.
  explicit EncoderSession(const LoadedEncoder& loaded, int64_t longest = 0);

  const model::ModelConfig& config() const { return loaded_.model.config(); }
  const text::Tokenizer& tokenizer() const { return loaded_.tokenizer; }
  int64_t longest() const { return longest_; }

  // One text or two as the model reads them. invalid_argument with both lengths for one that is too long.
  Result<std::vector<EncoderToken>> read(std::string_view first,
                                         const std::optional<std::string_view>& second,
                                         TooLong too_long) const;

  // Runs `inputs` (each at most longest() tokens) in batches of similar lengths and gives each result to `receive`
  // with its index, in an order of its own: the final states [T, C] of its tokens, or with `head` what the model's
  // head makes of them ([T, outputs], or [outputs] of the whole text). A result does not depend on the other inputs.
  // Ctrl-C ends it between batches; see throw_if_interrupted().
  void run(std::span<const std::vector<EncoderToken>> inputs, bool head,
           const std::function<void(size_t index, const Tensor& result)>& receive,
           Progress& progress = null_progress()) const;
  // The same of a few inputs: their number times the longest is what is computed, at once.
  void run_batch(std::span<const std::vector<EncoderToken>> inputs, std::span<const size_t> chosen, bool head,
                 const std::function<void(size_t index, const Tensor& result)>& receive) const;
  // The indices of `inputs` in batches of similar lengths that run fast.
  static std::vector<std::vector<size_t>> batches_of(std::span<const std::vector<EncoderToken>> inputs);

 private:
  const LoadedEncoder& loaded_;
  int64_t longest_;
};

}  // namespace quern::infer
