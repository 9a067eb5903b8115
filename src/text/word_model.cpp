#include "text/word_model.h"

#include <algorithm>

namespace quern::text {

void WordModel::encode(std::string_view text, std::span<const Span> pieces, ModelScratch& model_scratch,
                       TokenSink sink) const {
  auto& scratch = static_cast<Scratch&>(model_scratch);
  for (const Span piece : pieces) {
    const std::string_view rest = text.substr(piece.begin, piece.end - piece.begin);
    if (rest.empty()) continue;
    if (cut_mark_.empty() || WordCache::accepts(rest)) {
      encode_piece(rest, piece.begin, scratch, sink);
      continue;
    }
    size_t begin = 0;
    for (size_t at = rest.find(cut_mark_); at != rest.npos;
         at = rest.find(cut_mark_, at + cut_mark_.size())) {
      if (at == begin || !may_cut(rest, at)) continue;
      encode_piece(rest.substr(begin, at - begin), piece.begin + static_cast<uint32_t>(begin), scratch, sink);
      begin = at;
    }
    encode_piece(rest.substr(begin), piece.begin + static_cast<uint32_t>(begin), scratch, sink);
  }
}

// Precondition: the mark stands at `at`.
bool WordModel::may_cut(std::string_view word, size_t at) const {
  const std::string_view before = word.substr(0, at), after = word.substr(at);
  return !before.ends_with(cut_mark_) && std::ranges::none_of(joints_, [&](const Joint& joint) {
    return before.ends_with(joint.first) && after.starts_with(joint.second);
  });
}

void WordModel::encode_piece(std::string_view piece, uint32_t at, Scratch& scratch, TokenSink sink) const {
  if (sink.spans || !WordCache::accepts(piece)) return encode_word(piece, at, scratch, sink);
  WordCache::Lookup lookup = scratch.cache.find(piece);
  std::span<const TokenId> tokens = lookup.entry.tokens();
  if (!lookup.hit) {
    scratch.ids.clear();
    encode_word(piece, 0, scratch, {scratch.ids});
    tokens = scratch.ids;
    WordCache::store(lookup, piece, tokens);
  }
  if (tokens.size() == 1) {
    sink.ids.push_back(tokens[0]);
  } else {
    sink.ids.insert(sink.ids.end(), tokens.begin(), tokens.end());
  }
}

}  // namespace quern::text
