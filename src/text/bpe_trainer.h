// Trains a byte-level BPE tokenizer from text.
//
// The merges are those of Hugging Face's BpeTrainer on the same texts and splits: at each step the most
// frequent pair, of equal ones the pair with the smaller ids. Counts are 64 bits. The result depends on the
// texts alone, neither on their order nor on the number of threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "text/lexer.h"
#include "text/tokenizer.h"
#include "text/training.h"

namespace quern::text {

struct BpeTrainOptions {
  int64_t vocab_size = 8192;  // with special tokens and the 256 bytes
  int64_t min_frequency = 2;  // pairs seen less often are not merged
  // They get the first ids, in this order.
  std::vector<std::string> special_tokens = {"<|endoftext|>"};
  // "gpt2", "llama3", "qwen2", "gpt4o", or a regular expression whose matches become pieces.
  std::string pattern = "gpt4o";
  bool nfc = false;  // normalise to NFC first
  bool add_prefix_space = false;
  // Roles written to tokenizer_config.json; each must be one of special_tokens. A bos_token is put before every
  // text that is encoded with special tokens.
  std::optional<std::string> bos_token = std::nullopt;
  std::optional<std::string> eos_token = "<|endoftext|>";
  std::optional<std::string> pad_token = std::nullopt;
  std::optional<std::string> unk_token = std::nullopt;
  std::string chat_template = "";
};

// Errors: invalid_argument for a vocabulary smaller than its alphabet, an empty corpus, a wrong pattern or
// role. A corpus with too few pairs gives a smaller vocabulary than asked for, without error.
Result<Tokenizer> train_bpe(const TextSource& next, const BpeTrainOptions& options, Progress& progress);

}  // namespace quern::text
