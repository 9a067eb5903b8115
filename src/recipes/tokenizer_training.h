// Training a tokenizer on the documents of a corpus.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/progress.h"
#include "data/document_reader.h"
#include "text/bpe_trainer.h"
#include "text/unigram_trainer.h"
#include "text/word_piece_trainer.h"

namespace quern::recipes {

enum class TokenizerModel { bpe, word_piece, unigram };

struct TokenizerConfig {
  std::vector<std::string> inputs;
  data::ReaderOptions reader;
  TokenizerModel model = TokenizerModel::bpe;
  int64_t vocab_size = 8192;
  int64_t min_frequency = 2;
  std::vector<std::string> special_tokens;  // empty: the usual ones of the model
  int64_t sentinels = 0;                    // <extra_id_0> and so on behind them: what T5 hides spans with
  // Roles in BPE and unigram tokenizers; a role that is none of the special tokens has no token.
  std::string bos_token;                    // begins every document and prompt
  std::string eos_token = "<|endoftext|>";  // ends every document; of unigram models "</s>"
  std::string family;                       // of the models it is for, if known: see warn_of_foreign_split
  bool chat = false;  // teaches the chat form of text/own_chat_form.h: its markers, its template
  text::BpeTrainOptions bpe;
  text::WordPieceTrainOptions word_piece;
  text::UnigramTrainOptions unigram;

  void fields(Fields& f);
};

struct TrainedTokenizer {
  text::Tokenizer tokenizer;
  data::CorpusStatistics corpus;
};

// Trains and saves into `folder`. Special tokens that stand in the texts themselves are left out of what is
// counted. Throws when interrupted. Errors of open_corpus, FolderLock::acquire, DocumentReader::next, the trainers and
// Tokenizer::save; invalid_argument for a chat form with another model than BPE.
Result<TrainedTokenizer> train_tokenizer(const TokenizerConfig& config, const std::filesystem::path& folder,
                                         Progress& progress);

// Warns when transformers splits the texts of a family otherwise than `tokenizer` does, whatever its tokenizer.json says.
// `component` is who warns.
void warn_of_foreign_split(std::string_view component, std::string_view family,
                           const text::Tokenizer& tokenizer);

}  // namespace quern::recipes
