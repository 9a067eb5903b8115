// Texts as an encoder learns from them, and batches of them.
#pragma once

#include <span>
#include <vector>

#include "infer/encoder_text.h"
#include "model/config.h"
#include "nn/context.h"

namespace quern::encoding {

// One input of an encoder: special tokens are in it.
struct TextTokens {
  std::vector<int32_t> ids;
  std::vector<int32_t> segments;  // as many, or none where all are 0

  static TextTokens of(std::span<const infer::EncoderToken> tokens);
  int64_t size() const { return static_cast<int64_t>(ids.size()); }
};

// What a pass that is learnt from has beside its texts. One that is not has nothing of it.
struct EncoderPass {
  nn::DropoutState dropout = {};
  bool checkpoint = false;
  int64_t rows = 0;                    // texts that run at once where a loss needs more of them; 0: all
  uint64_t draw = 0;                   // of other randomness, such as masks: that of the step
  std::span<const int64_t> step = {};  // all examples of the step, of which these are some
};

// Texts padded to the longest of them.
struct TextBatch {
  Tensor tokens;  // i32 [B, T]
  Tensor types;   // the same; undefined where the model tells no segments apart
  std::vector<int64_t> lengths;
  nn::ForwardContext context;

  TextBatch(std::span<const TextTokens* const> texts, const model::ModelConfig& config,
            const EncoderPass& pass);
};

// The elements of a wide tensor in double.
std::vector<double> doubles_of(const Tensor& wide);
// Walks back from `outputs`, wide, whose gradient is `gradient`; nothing where nothing is recorded.
void backward_from(const Tensor& outputs, std::span<const double> gradient);

}  // namespace quern::encoding
