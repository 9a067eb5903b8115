#include "text/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>

#include "text/byte_alphabet.h"
#include "text/models/model_json.h"
#include "text/unicode.h"

namespace quern::text {

namespace {
// Up to here a scan for the lowest rank beats a heap.
constexpr size_t kShort = 64;
// What stands for the space before a word where spaces are part of tokens.
constexpr std::string_view kWordMark = "\u2581";
}  // namespace

struct Bpe::SymbolScratch : Scratch {
  std::vector<Symbol> symbols;
};

Bpe::Bpe(Vocabulary vocabulary, std::vector<MergeRule> merges, std::vector<uint32_t> ranks,
         BpeOptions options)
    : vocabulary_(std::move(vocabulary)),
      merges_(std::move(merges)),
      table_(merges_),
      ranks_(std::move(ranks)),
      options_(std::move(options)),
      rebuilds_(vocabulary_.id_end()) {
  for (size_t id = 0; id < ranks_.size(); ++id) {
    if (ranks_[id] != Merge::kNever)
      longest_ = std::max(longest_, vocabulary_.bytes(static_cast<TokenId>(id)).size());
  }
  const auto to_bytes = [&](const std::string& affix) {
    return vocabulary_.byte_level() ? from_byte_characters(affix).value_or(affix) : affix;
  };
  prefix_ = to_bytes(options_.continuing_subword_prefix);
  suffix_ = to_bytes(options_.end_of_word_suffix);
  byte_tokens_ = find_byte_tokens(vocabulary_);
  for (size_t byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    single_bytes_[byte] = vocabulary_.find_bytes({&c, 1});
  }
  find_cuts(kWordMark);
}

// Words that begin with `mark` are encoded each for itself where no merge joins what ends before the mark to it. Vocabularies
// have few such merges ("> </" in Gemma's), if any.
void Bpe::find_cuts(std::string_view mark) {
  constexpr size_t kMostJoints = 16;
  if (options_.ignore_merges || !prefix_.empty() || !suffix_.empty()) return;
  if (vocabulary_.byte_level() || vocabulary_.find_bytes(mark) == kNoToken) return;
  // Without one, characters vanish, and what stands around them may join.
  if (!options_.unk_token) return;
  // Unknown characters and bytes are not spelled as their tokens are.
  const auto is_spelled = [&](std::string_view text) {
    return text.find(*options_.unk_token) == text.npos && text.find("<0x") == text.npos;
  };
  std::vector<Joint> joints;
  const auto add_joint = [&](std::string_view left, std::string_view right) {
    if (joints.size() <= kMostJoints) joints.emplace_back(left, right);
  };
  std::vector<bool> begins(vocabulary_.id_end()), ends(vocabulary_.id_end());
  for (TokenId id = 0; static_cast<size_t>(id) < begins.size(); ++id) {
    const std::string_view text = vocabulary_.bytes(id);
    begins[static_cast<size_t>(id)] = text.starts_with(mark);
    ends[static_cast<size_t>(id)] = text.ends_with(mark);
    if (ranks_.empty() || !joins(id)) continue;
    for (size_t at = text.find(mark, 1); at != text.npos; at = text.find(mark, at + 1)) {
      const std::string_view left = text.substr(0, at), right = text.substr(at);
      if (left.ends_with(mark)) continue;
      if (joins(vocabulary_.find_bytes(left)) && joins(vocabulary_.find_bytes(right))) add_joint(left, right);
    }
  }
  for (const auto& [left, right, result] : merges_) {
    if (begins[static_cast<size_t>(right)] && !ends[static_cast<size_t>(left)])
      add_joint(vocabulary_.bytes(left), vocabulary_.bytes(right));
  }
  const auto is_plain = [&](const Joint& joint) {
    return is_spelled(joint.first) && is_spelled(joint.second);
  };
  if (joints.size() > kMostJoints || !std::ranges::all_of(joints, is_plain)) return;
  cut_mark_ = mark;
  joints_ = std::move(joints);
}

Merge Bpe::find_by_spelling(TokenId left, TokenId right) const {
  if (!joins(left) || !joins(right)) return {};
  const std::string_view a = vocabulary_.bytes(left), b = vocabulary_.bytes(right);
  if (a.size() + b.size() > longest_) return {};
  std::array<char, 256> buffer;
  std::string longer;
  char* joined = buffer.data();
  if (a.size() + b.size() > buffer.size()) {
    longer.resize(a.size() + b.size());
    joined = longer.data();
  }
  std::copy(b.begin(), b.end(), std::copy(a.begin(), a.end(), joined));
  const TokenId id = vocabulary_.find_bytes({joined, a.size() + b.size()});
  return joins(id) ? Merge{ranks_[static_cast<size_t>(id)], id} : Merge{};
}

// Every way to make a token from two others, in order of rank.
std::vector<Bpe::MergeRule> Bpe::merges_by_spelling() const {
  std::vector<TokenId> order;
  for (TokenId id = 0; static_cast<size_t>(id) < ranks_.size(); ++id) {
    if (joins(id)) order.push_back(id);
  }
  std::ranges::stable_sort(order, {}, [&](TokenId id) { return ranks_[static_cast<size_t>(id)]; });
  std::vector<MergeRule> merges;
  for (const TokenId id : order) {
    const std::string_view text = vocabulary_.bytes(id);
    const auto next = [&](size_t at) {
      return at + (vocabulary_.byte_level() ? 1 : decode_utf8(text.substr(at)).length);
    };
    for (size_t cut = next(0); cut < text.size(); cut = next(cut)) {
      const TokenId left = vocabulary_.find_bytes(text.substr(0, cut));
      const TokenId right = joins(left) ? vocabulary_.find_bytes(text.substr(cut)) : kNoToken;
      if (joins(right)) merges.push_back({left, right, id});
    }
  }
  return merges;
}

Result<std::unique_ptr<Bpe>> Bpe::create(Vocabulary vocabulary, std::vector<MergeRule> merges,
                                         BpeOptions options) {
  return create(std::move(vocabulary), std::move(merges), {}, std::move(options));
}

Result<std::unique_ptr<Bpe>> Bpe::create_by_spelling(Vocabulary vocabulary, std::vector<uint32_t> ranks,
                                                     BpeOptions options) {
  ranks.resize(vocabulary.id_end(), Merge::kNever);
  return create(std::move(vocabulary), {}, std::move(ranks), std::move(options));
}

Result<std::unique_ptr<Bpe>> Bpe::create(Vocabulary vocabulary, std::vector<MergeRule> merges,
                                         std::vector<uint32_t> ranks, BpeOptions options) {
  for (const std::string& affix : {options.continuing_subword_prefix, options.end_of_word_suffix}) {
    if (vocabulary.byte_level() && !from_byte_characters(affix)) {
      return make_error(ErrorCode::unsupported,
                        fmt::format("tokenizer.json: model BPE: the prefix or suffix {:?} is not made of "
                                    "byte-level characters",
                                    affix));
    }
  }
  TokenId unk = kNoToken;
  if (options.unk_token) {
    unk = vocabulary.find_token(*options.unk_token);
    if (unk == kNoToken) {
      return make_error(
          ErrorCode::corrupt,
          fmt::format("tokenizer.json: the unk_token {:?} is not in the vocabulary", *options.unk_token));
    }
  }
  std::unique_ptr<Bpe> bpe(
      new Bpe(std::move(vocabulary), std::move(merges), std::move(ranks), std::move(options)));
  bpe->unk_ = unk;
  return bpe;
}

std::unique_ptr<ModelScratch> Bpe::make_scratch() const { return std::make_unique<SymbolScratch>(); }

void Bpe::encode_word(std::string_view word, uint32_t at, Scratch& scratch, TokenSink sink) const {
  std::vector<Symbol>& symbols = static_cast<SymbolScratch&>(scratch).symbols;
  if (const TokenId id = whole_word(word, symbols); id != kNoToken) {
    sink.ids.push_back(id);
    if (sink.spans) sink.spans->push_back({at, at + static_cast<uint32_t>(word.size())});
    return;
  }
  tokenize(word, symbols);
  for (const Symbol& symbol : symbols) {
    sink.ids.push_back(symbol.id);
    if (sink.spans) sink.spans->push_back({at, at + symbol.length});
    at += symbol.length;
  }
}

// The token that is the whole word, when encoding gives just that. Without ignore_merges the merges must
// rebuild it, as they do for every token a trainer made; files may hold others, so each token is tried once.
TokenId Bpe::whole_word(std::string_view word, std::vector<Symbol>& symbols) const {
  const TokenId id = vocabulary_.find_bytes(word);
  if (id == kNoToken || options_.ignore_merges) return id;
  std::atomic<uint8_t>& rebuilds = rebuilds_[static_cast<size_t>(id)];
  uint8_t state = rebuilds.load(std::memory_order_relaxed);
  if (state == 0) {
    tokenize(word, symbols);
    state = symbols.size() == 1 && symbols[0].id == id ? 1 : 2;
    rebuilds.store(state, std::memory_order_relaxed);
  }
  return state == 1 ? id : kNoToken;
}

void Bpe::tokenize(std::string_view word, std::vector<Symbol>& symbols) const {
  symbols.clear();
  add_initial_symbols(word, symbols);
  for (size_t i = 0; i + 1 < symbols.size(); ++i)
    symbols[i].merge = find_merge(symbols[i].id, symbols[i + 1].id);
  if (symbols.size() <= kShort) {
    merge_short(symbols);
  } else {
    merge_long(symbols);
  }
}

// One symbol per byte (byte-level) or character. What has no token becomes bytes (byte_fallback), unk, or
// nothing.
void Bpe::add_initial_symbols(std::string_view word, std::vector<Symbol>& symbols) const {
  const bool plain = prefix_.empty() && suffix_.empty();
  std::optional<Symbol> unk;  // waits, because the next one may be fused with it
  const auto flush_unk = [&] {
    if (unk) symbols.push_back(*unk);
    unk.reset();
  };
  std::string affixed;
  for (size_t at = 0; at < word.size();) {
    const uint32_t length = vocabulary_.byte_level() ? 1 : decode_utf8(word.substr(at)).length;
    std::string_view unit = word.substr(at, length);
    if (!plain) {
      affixed = unit;
      if (at > 0) affixed.insert(0, prefix_);
      if (at + length == word.size()) affixed.append(suffix_);
      unit = affixed;
    }
    at += length;
    const TokenId id =
        unit.size() == 1 ? single_bytes_[static_cast<uint8_t>(unit[0])] : vocabulary_.find_bytes(unit);
    if (id != kNoToken) {
      flush_unk();
      symbols.push_back({id, length, {}});
    } else if (options_.byte_fallback && add_fallback_bytes(unit, symbols)) {
      continue;
    } else if (unk_ != kNoToken) {
      if (unk && options_.fuse_unk) {
        unk->length += length;
      } else {
        flush_unk();
        unk = Symbol{unk_, length, {}};
      }
    }
  }
  flush_unk();
}

// <0xXX> for each byte, if all of them exist.
bool Bpe::add_fallback_bytes(std::string_view unit, std::vector<Symbol>& symbols) const {
  const std::string written = vocabulary_.byte_level() ? to_byte_characters(unit) : std::string(unit);
  const auto token_of = [&](char c) { return byte_tokens_[static_cast<uint8_t>(c)]; };
  if (!std::all_of(written.begin(), written.end(), [&](char c) { return token_of(c) != kNoToken; }))
    return false;
  for (const char c : written) symbols.push_back({token_of(c), 1, {}});
  return true;
}

void Bpe::merge_short(std::vector<Symbol>& symbols) const {
  while (symbols.size() > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < symbols.size(); ++i) {
      if (symbols[i].merge.rank < symbols[best].merge.rank) best = i;
    }
    if (symbols[best].merge.rank == Merge::kNever) return;
    Symbol& symbol = symbols[best];
    symbol.id = symbol.merge.result;
    symbol.length += symbols[best + 1].length;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    const bool has_next = best + 1 < symbols.size();
    symbol.merge = has_next ? find_merge(symbol.id, symbols[best + 1].id) : Merge{};
    if (best > 0) symbols[best - 1].merge = find_merge(symbols[best - 1].id, symbol.id);
  }
}

// A linked list of symbols and a heap of merges; entries that no longer hold are skipped when they surface.
void Bpe::merge_long(std::vector<Symbol>& symbols) const {
  const auto count = static_cast<uint32_t>(symbols.size());
  std::vector<uint32_t> next(count), previous(count);
  using Candidate = std::pair<uint32_t, uint32_t>;  // rank, position
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  for (uint32_t i = 0; i < count; ++i) {
    next[i] = i + 1;
    previous[i] = i - 1;
    if (symbols[i].merge.rank != Merge::kNever) queue.push({symbols[i].merge.rank, i});
  }
  const auto update = [&](uint32_t i) {
    symbols[i].merge = next[i] < count ? find_merge(symbols[i].id, symbols[next[i]].id) : Merge{};
    if (symbols[i].merge.rank != Merge::kNever) queue.push({symbols[i].merge.rank, i});
  };
  while (!queue.empty()) {
    const auto [rank, i] = queue.top();
    queue.pop();
    Symbol& symbol = symbols[i];
    if (symbol.length == 0 || symbol.merge.rank != rank) continue;
    const uint32_t joined = next[i];
    symbol.id = symbol.merge.result;
    symbol.length += symbols[joined].length;
    symbols[joined].length = 0;
    next[i] = next[joined];
    if (next[i] < count) previous[next[i]] = i;
    update(i);
    if (i > 0) update(previous[i]);
  }
  std::erase_if(symbols, [](const Symbol& symbol) { return symbol.length == 0; });
}

std::string Bpe::to_json() const {
  Json model = {{"type", "BPE"}, {"dropout", nullptr}};
  const auto text_or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  model["unk_token"] = options_.unk_token ? Json(*options_.unk_token) : Json();
  model["continuing_subword_prefix"] = text_or_null(options_.continuing_subword_prefix);
  model["end_of_word_suffix"] = text_or_null(options_.end_of_word_suffix);
  model["fuse_unk"] = options_.fuse_unk;
  model["byte_fallback"] = options_.byte_fallback;
  model["ignore_merges"] = options_.ignore_merges;
  std::string lists = "\"vocab\":" + vocabulary_json(vocabulary_) + ",\n\"merges\":[";
  std::string_view separator;
  for (const auto& [left, right, result] : ranks_.empty() ? merges_ : merges_by_spelling()) {
    lists += fmt::format("{}\n[{},{}]", separator, quoted_json(vocabulary_.token(left).value_or("")),
                         quoted_json(vocabulary_.token(right).value_or("")));
    separator = ",";
  }
  return model_json(model, lists + "]");
}

}  // namespace quern::text
