// Texts that are corrupted, and that an encoder-decoder learns to write again (T5, BART).
#pragma once

#include "base/result.h"
#include "encoding/cut_texts.h"
#include "encoding/text_infilling.h"
#include "encoding/written_texts.h"

namespace quern::encoding {

// How texts are corrupted: spans become sentinels (T5), or masks in shuffled sentences (BART).
enum class Corruption : uint8_t { spans, infilling };

struct DenoiseOptions {
  Corruption corruption = Corruption::spans;
  double share = 0.15;  // of the tokens, those in spans
  double mean_span = 3.0;
  bool shuffle = true;  // of infilling: sentences change places
  uint64_t seed = 0;
};

// What corruption needs to know of a tokenizer.
struct NoiseTokens {
  std::vector<int32_t> sentinels = {};  // of spans: <extra_id_0>, <extra_id_1>, ...
  int32_t mask = 0;                     // of infilling
  std::vector<char> ends = {};          // of infilling, by token: it ends a sentence
  Surroundings read = {}, written = {};

  // not_found where the tokenizer has no sentinels, no mask, or no token that ends a text.
  static Result<NoiseTokens> of(const text::Tokenizer& tokenizer, Corruption corruption);
};
// What stands around texts that are written: as around those that are read, and an end in any case, which generation needs.
// not_found where the tokenizer has none.
Result<Surroundings> surroundings_of_answers(const text::Tokenizer& tokenizer);

// How long texts and what becomes of them are, in tokens.
struct DenoisedLengths {
  int64_t text = 0;  // the longest whose source has at most `sequence` tokens, without what stands around it
  int64_t target = 0;  // the longest, with what stands around it
};
// invalid_argument where `sequence` has no room for a text, or there are not sentinels enough for the longest.
Result<DenoisedLengths> denoised_lengths(int64_t sequence, const NoiseTokens& tokens,
                                         const DenoiseOptions& options);

// How a text is corrupted is a function of the seed, the step and the example; in evaluations always the same.
class DenoisedTexts final : public WrittenTexts {
 public:
  // The model must outlive it. `texts`: of at most DenoisedLengths::text tokens.
  DenoisedTexts(const model::EncoderDecoder& model, NoiseTokens tokens,
                std::vector<std::vector<int32_t>> texts, const DenoiseOptions& options);

  TextPair pair(int64_t example, uint64_t draw) const override;
  int64_t size() const override { return static_cast<int64_t>(texts_.size()); }
  int64_t length(int64_t example) const override {
    return static_cast<int64_t>(texts_[static_cast<size_t>(example)].size());
  }
  void describe(train::Fingerprint& print) const override;

 private:
  NoiseTokens tokens_;
  std::vector<std::vector<int32_t>> texts_;
  DenoiseOptions options_;
};

}  // namespace quern::encoding
