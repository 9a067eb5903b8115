#include "text/word_piece.h"

#include "text/models/model_json.h"
#include "text/unicode.h"

namespace quern::text {

namespace {
ByteTrie trie_of(const Vocabulary& vocabulary) {
  std::vector<ByteTrie::Entry> entries;
  entries.reserve(vocabulary.size());
  for (TokenId id = 0; static_cast<size_t>(id) < vocabulary.id_end(); ++id)
    entries.push_back({vocabulary.bytes(id), id});
  return ByteTrie(std::move(entries));
}

bool is_longer(std::string_view word, uint32_t characters) {
  if (word.size() <= characters) return false;
  uint32_t count = 0;
  for (const char c : word) count += (static_cast<uint8_t>(c) & 0xC0) != 0x80;
  return count > characters;
}
}  // namespace

WordPiece::WordPiece(Vocabulary vocabulary, WordPieceOptions options)
    : vocabulary_(std::move(vocabulary)),
      options_(std::move(options)),
      trie_(trie_of(vocabulary_)),
      continuing_(trie_.walk(options_.continuing_subword_prefix)),
      unk_(vocabulary_.find_token(options_.unk_token)) {}

void WordPiece::encode_word(std::string_view word, uint32_t at, Scratch&, TokenSink sink) const {
  const size_t first_id = sink.ids.size(), first_span = sink.spans ? sink.spans->size() : 0;
  bool known = !is_longer(word, options_.max_input_chars_per_word);
  for (size_t begin = 0; known && begin < word.size();) {
    uint32_t node = begin == 0 ? ByteTrie::kRoot : continuing_;
    TokenId longest = kNoToken;
    size_t end = begin;
    for (size_t i = begin; i < word.size() && node != ByteTrie::kNoNode; ++i) {
      node = trie_.child(node, word[i]);
      if (node == ByteTrie::kNoNode || trie_.value(node) == ByteTrie::kNoValue) continue;
      longest = trie_.value(node);
      end = i + 1;
    }
    known = longest != kNoToken;
    if (!known) break;
    sink.ids.push_back(longest);
    if (sink.spans)
      sink.spans->push_back({at + static_cast<uint32_t>(begin), at + static_cast<uint32_t>(end)});
    begin = end;
  }
  if (known) return;
  sink.ids.resize(first_id);
  sink.ids.push_back(require_unknown(unk_, word));
  if (!sink.spans) return;
  sink.spans->resize(first_span);
  sink.spans->push_back({at, at + static_cast<uint32_t>(word.size())});
}

std::string WordPiece::to_json() const {
  return model_json({{"type", "WordPiece"},
                     {"unk_token", options_.unk_token},
                     {"continuing_subword_prefix", options_.continuing_subword_prefix},
                     {"max_input_chars_per_word", options_.max_input_chars_per_word}},
                    "\"vocab\":" + vocabulary_json(vocabulary_));
}

}  // namespace quern::text
