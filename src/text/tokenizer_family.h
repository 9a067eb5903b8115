// Tokenizers of published models, where the files leave to the program what transformers' classes know: which special
// tokens there are, what they stand around, how text is split and how pieces are numbered.
#pragma once

#include <string>
#include <string_view>

namespace quern::text {

// The special tokens a family has unless its files name others; empty: none.
struct UsualRoles {
  std::string_view bos = {}, eos = {}, unk = {}, sep = {}, pad = {}, cls = {}, mask = {};
  bool mask_takes_space = false;  // the white space before a mask belongs to it
};

struct TokenizerFamily {
  // What puts special tokens around texts: `adds_bos` and `adds_eos`, or cls and sep in the way of BERT or RoBERTa.
  enum class Around { ends, bert, roberta };
  enum class Pieces {
    none,     // no SentencePiece model
    as_is,    // ids are those of the model
    fairseq,  // <s>, <pad>, </s>, <unk>, the pieces after the model's first three, <mask>
  };
  std::string_view name;  // see family_key
  UsualRoles roles;
  Around around = Around::ends;
  bool adds_bos = false;  // files may say otherwise: add_bos_token, add_eos_token
  bool adds_eos = false;
  std::string_view split =
      {};  // of vocab.json and merges.txt: see find_split_rules; empty: has no such files
  Pieces pieces = Pieces::none;
};

// A tokenizer_class ("XLMRobertaTokenizerFast") or model_type ("xlm-roberta") as families are named: "xlmroberta". Empty
// for a class that says nothing ("PreTrainedTokenizerFast").
std::string family_key(std::string_view name);
// nullptr when it is not known.
const TokenizerFamily* find_tokenizer_family(std::string_view key);
// Names of those that have vocab.json and merges.txt, or a SentencePiece model; for messages.
std::string families_of_merges();
std::string families_of_pieces();

}  // namespace quern::text
