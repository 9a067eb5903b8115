// Which part of a corpus is held out for validation.
#pragma once

#include <cstdint>
#include <string_view>

namespace quern::data {

enum class SplitMode {
  // Each document by a hash of its text and the seed: the same document always falls on the same side,
  // whatever stands
  // around it, so copies never leak and adding text moves nothing. The share is met on average.
  hash,
  // The last `fraction` of the bytes of the corpus, in order; the document at the border is cut there,
  // between two
  // characters. For corpora that are one long text (nanoGPT splits this way).
  tail,
  // hash when that can be expected to hold out 20 documents or more, else tail.
  automatic,
};

struct SplitOptions {
  SplitMode mode = SplitMode::automatic;
  double fraction = 0.01;  // [0, 1); 0 holds nothing out
  uint64_t seed = 0;
};

// Whether `text` is held out by SplitMode::hash.
bool held_out(std::string_view text, const SplitOptions& options);

// Bytes of `text` that stay for training when `train_bytes_left` bytes of the corpus remain before the border
// of SplitMode::tail: rounded down to a character.
size_t tail_cut(std::string_view text, uint64_t train_bytes_left);

}  // namespace quern::data
