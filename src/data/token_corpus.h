// From text to token files: tokenizes a corpus once, splits it into training and validation, and finds the
// files again the next time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "data/document_reader.h"
#include "data/split.h"
#include "data/token_dataset.h"

namespace quern::data {

// Appends the tokens of a text. Called from several threads at once; may throw Exception, which becomes the
// Error of prepare_tokens.
using Encoder = std::function<void(std::string_view text, std::vector<int32_t>& tokens)>;

// What turns text into tokens, and what names it.
struct Tokenization {
  Encoder encode;
  int64_t vocab_size = 0;
  std::string fingerprint;  // changes when the tokens would: the hash of tokenizer.json, say
  int32_t begin = -1;       // put before each document unless negative
  int32_t end = -1;         // put after each document unless negative
};

struct TokenCorpusOptions {
  std::vector<std::string> inputs;
  ReaderOptions reader;
  SplitOptions split;
  std::string folder;  // where the token files are kept; made when missing
};

struct TokenCorpus {
  TokenDataset train;
  TokenDataset validation;      // empty when nothing is held out
  CorpusStatistics statistics;  // only `files` when reused
  bool reused = false;
};

// Opens FOLDER/KEY.train.tokens and FOLDER/KEY.validation.tokens, making them when they are missing or
// damaged. KEY hashes the content of the input files, their order and kind, the tokenizer and every option,
// so that nothing stale is ever read. Tokenizes on all threads; the result does not depend on their number.
// Errors: those of open_corpus and DocumentReader::next, invalid_argument for an empty corpus or impossible
// options, io for a full disk (nothing half written stays behind).
Result<TokenCorpus> prepare_tokens(const TokenCorpusOptions& options, const Tokenization& tokenization,
                                   Progress& progress = null_progress());

}  // namespace quern::data
