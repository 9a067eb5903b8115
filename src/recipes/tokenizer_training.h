// Training a tokenizer on the documents of a corpus.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/progress.h"
#include "data/document_reader.h"
#include "text/bpe_trainer.h"

namespace quern::recipes {

struct TokenizerConfig {
  std::vector<std::string> inputs;
  data::ReaderOptions reader;
  bool chat = false;      // teaches the chat form of text/own_chat_form.h: its markers, its template
  std::string bos_token;  // begins every document and prompt; empty: none
  std::string eos_token = "<|endoftext|>";  // ends every document; empty: none
  text::BpeTrainOptions bpe;

  void fields(Fields& f);
};

struct TrainedTokenizer {
  text::Tokenizer tokenizer;
  data::CorpusStatistics corpus;
};

// Trains and saves into `folder`. Special tokens that stand in the texts themselves are left out of what is
// counted. Throws when interrupted. Errors of open_corpus, FolderLock::acquire, DocumentReader::next, train_bpe and Tokenizer::save.
Result<TrainedTokenizer> train_tokenizer(const TokenizerConfig& config, const std::filesystem::path& folder,
                                         Progress& progress);

}  // namespace quern::recipes
