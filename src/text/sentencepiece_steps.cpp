#include "text/sentencepiece_steps.h"

#include <unordered_map>

#include "text/byte_trie.h"
#include "text/charsmap.h"
#include "text/decoders/factories.h"
#include "text/unicode.h"

namespace quern::text {

namespace {
ByteTrie trie_of_user_defined(const std::vector<Piece>& pieces) {
  std::vector<ByteTrie::Entry> entries;
  for (const Piece& piece : pieces) {
    if (piece.type == PieceType::user_defined) entries.push_back({piece.text, 0});
  }
  return ByteTrie(std::move(entries));
}

class SentencePieceNormalizer : public Normalizer {
 public:
  SentencePieceNormalizer(const SentencePieceModel& model, std::optional<Charsmap> map)
      : map_(std::move(map)),
        user_defined_(trie_of_user_defined(model.pieces)),
        mark_(model.escape_whitespaces ? kSpaceMark : " "),
        trims_(model.remove_extra_whitespaces),
        prefix_(model.add_dummy_prefix && !model.whitespace_as_suffix),
        suffix_(model.add_dummy_prefix && model.whitespace_as_suffix) {}

  void apply(Segment& segment) const override {
    const std::string_view text = segment.text();
    uint32_t begin = 0;
    while (trims_ && begin < text.size()) {
      const Charsmap::Match first = next(text.substr(begin));
      if (first.replacement != " ") break;
      begin += first.length;
    }
    Edit edit = segment.edit();
    edit.replace(begin, {});
    if (begin < text.size()) rewrite(text, begin, edit);
    segment.apply(std::move(edit));
    if (begin < text.size()) finish(segment);
  }

 private:
  // What the text begins with: a symbol of the user, a rule of the map, or a character.
  Charsmap::Match next(std::string_view text) const {
    uint32_t node = ByteTrie::kRoot, longest = 0;
    for (uint32_t i = 0; i < text.size() && node != ByteTrie::kNoNode; ++i) {
      node = user_defined_.child(node, text[i]);
      if (node != ByteTrie::kNoNode && user_defined_.value(node) != ByteTrie::kNoValue) longest = i + 1;
    }
    if (longest > 0) return {longest, text.substr(0, longest)};
    if (map_) {
      if (const auto match = map_->longest(text)) return *match;
    }
    const uint32_t length = decode_utf8(text).length;
    return {length, text.substr(0, length)};
  }

  void rewrite(std::string_view text, uint32_t begin, Edit& edit) const {
    if (prefix_) edit.insert(mark_);
    bool after_space = trims_;
    std::string marked;
    for (uint32_t at = begin; at < text.size();) {
      const Charsmap::Match match = next(text.substr(at));
      std::string_view shown = match.replacement;
      while (after_space && shown.starts_with(' ')) shown.remove_prefix(1);
      if (!shown.empty()) after_space = trims_ && shown.ends_with(' ');
      const uint32_t end = at + match.length;
      if (shown != text.substr(at, match.length) || shown.find(' ') != shown.npos) {
        marked = shown;
        replace_all(marked, " ", mark_);
        edit.keep(at);
        edit.replace(end, marked);
      }
      at = end;
    }
  }

  void finish(Segment& segment) const {
    const std::string_view text = segment.text();
    size_t end = text.size();
    while (trims_ && text.substr(0, end).ends_with(mark_)) end -= mark_.size();
    if (end == text.size() && !suffix_) return;
    Edit edit = segment.edit();
    edit.keep(static_cast<uint32_t>(end));
    edit.replace(static_cast<uint32_t>(text.size()), suffix_ ? mark_ : std::string_view());
    segment.apply(std::move(edit));
  }

  std::optional<Charsmap> map_;
  ByteTrie user_defined_;
  std::string_view mark_;
  bool trims_, prefix_, suffix_;
};

class SentencePieceDecoder : public Decoder {
 public:
  explicit SentencePieceDecoder(const SentencePieceModel& model)
      : unk_surface_(model.unk_surface),
        drops_first_(model.add_dummy_prefix || model.remove_extra_whitespaces),
        trims_(model.remove_extra_whitespaces) {
    for (const Piece& piece : model.pieces) {
      if (piece.type != PieceType::normal && piece.type != PieceType::user_defined)
        types_.emplace(piece.text, piece.type);
    }
  }

  void apply(std::vector<std::string>& tokens) const override {
    std::string text, bytes;
    bool at_start = true, start_seen = false;
    const auto flush = [&] {
      text += decode_bytes(bytes);
      bytes.clear();
    };
    for (const std::string& token : tokens) {
      const auto it = types_.find(token);
      const PieceType type = it == types_.end() ? PieceType::normal : it->second;
      if (type == PieceType::byte) {
        bytes.push_back(static_cast<char>(*byte_of_piece(token)));
        continue;
      }
      flush();
      if (start_seen || !text.empty()) at_start = false;
      start_seen = false;
      if (type == PieceType::control) continue;
      if (type == PieceType::unknown) {
        text += unk_surface_;
        continue;
      }
      std::string piece = token;
      if (at_start && drops_first_ && piece.starts_with(kSpaceMark)) {
        piece.erase(0, kSpaceMark.size());
        start_seen = !trims_;
      }
      replace_all(piece, kSpaceMark, " ");
      text += piece;
    }
    flush();
    tokens.clear();
    tokens.push_back(std::move(text));
  }

 private:
  // Valid characters as they are, every other byte as U+FFFD.
  static std::string decode_bytes(std::string_view bytes) {
    std::string text;
    while (!bytes.empty()) {
      const Decoded step = decode_utf8(bytes);
      const uint32_t length = step.valid ? step.length : 1;
      text += step.valid ? bytes.substr(0, length) : kReplacementUtf8;
      bytes.remove_prefix(length);
    }
    return text;
  }

  std::unordered_map<std::string, PieceType> types_;
  std::string unk_surface_;
  bool drops_first_, trims_;
};
}  // namespace

Result<std::unique_ptr<Normalizer>> make_sentencepiece_normalizer(const SentencePieceModel& model) {
  std::optional<Charsmap> map;
  if (!model.charsmap.empty()) {
    QUERN_TRY(map, Charsmap::parse(model.charsmap));
  }
  return std::unique_ptr<Normalizer>(std::make_unique<SentencePieceNormalizer>(model, std::move(map)));
}

std::unique_ptr<Decoder> make_sentencepiece_decoder(const SentencePieceModel& model) {
  return std::make_unique<SentencePieceDecoder>(model);
}

}  // namespace quern::text
