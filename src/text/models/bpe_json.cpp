#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/threads.h"
#include "text/bpe.h"
#include "text/models/model_json.h"

namespace quern::text {

namespace {
using simdjson::dom::element;

struct MergeText {
  std::string_view left, right;
};

// "a b" or ["a", "b"].
Result<MergeText> read_merge(element merge, size_t rank) {
  const auto wrong = [&] {
    return corrupt_model(fmt::format("merge {} must be \"left right\" or [\"left\", \"right\"]", rank));
  };
  std::string_view text;
  if (merge.get(text) == simdjson::SUCCESS) {
    const size_t space = text.find(' ');
    if (space == text.npos || text.find(' ', space + 1) != text.npos) return wrong();
    return MergeText{text.substr(0, space), text.substr(space + 1)};
  }
  simdjson::dom::array pair;
  MergeText sides;
  if (merge.get(pair) != simdjson::SUCCESS || pair.size() != 2 ||
      pair.at(0).get(sides.left) != simdjson::SUCCESS || pair.at(1).get(sides.right) != simdjson::SUCCESS) {
    return wrong();
  }
  return sides;
}

Result<std::vector<MergeText>> read_merge_texts(const ModelSource& source) {
  QUERN_TRY(const element list,
            require_member(source, "merges", simdjson::dom::element_type::ARRAY, "a list"));
  std::vector<MergeText> merges;
  merges.reserve(simdjson::dom::array(list).size());
  for (const element merge : simdjson::dom::array(list)) {
    std::string_view text;
    if (merge.get(text) == simdjson::SUCCESS && text.starts_with("#version")) continue;
    QUERN_TRY(const MergeText sides, read_merge(merge, merges.size()));
    merges.push_back(sides);
  }
  return merges;
}

// What the merge makes of its sides.
std::string joined(const MergeText& merge, const std::string& prefix) {
  const bool continues = merge.right.starts_with(prefix);
  return std::string(merge.left).append(merge.right.substr(continues ? prefix.size() : 0));
}

// The ids of a merge's tokens, kNoToken for those that are not in the vocabulary. Large vocabularies have half a million
// merges, so that looking them up is most of the work of opening a file.
void find_rules(std::span<const MergeText> merges, const Vocabulary& vocabulary, const std::string& prefix,
                std::span<Bpe::MergeRule> rules) {
  constexpr size_t kTogether = 16;
  std::array<std::string, kTogether> results;
  std::array<std::string_view, 3 * kTogether> tokens;
  std::array<TokenId, 3 * kTogether> ids;
  for (size_t first = 0; first < merges.size(); first += kTogether) {
    const size_t count = std::min(kTogether, merges.size() - first);
    for (size_t i = 0; i < count; ++i) {
      results[i] = joined(merges[first + i], prefix);
      tokens[3 * i] = merges[first + i].left;
      tokens[3 * i + 1] = merges[first + i].right;
      tokens[3 * i + 2] = results[i];
    }
    vocabulary.find_tokens(std::span(tokens).first(3 * count), ids);
    for (size_t i = 0; i < count; ++i) rules[first + i] = {ids[3 * i], ids[3 * i + 1], ids[3 * i + 2]};
  }
}

Result<std::vector<Bpe::MergeRule>> read_merges(const ModelSource& source, const Vocabulary& vocabulary,
                                                const std::string& prefix) {
  QUERN_TRY(const std::vector<MergeText> merges, read_merge_texts(source));
  std::vector<Bpe::MergeRule> rules(merges.size());
  parallel_for(static_cast<int64_t>(merges.size()), 16384, [&](int64_t begin, int64_t end) {
    const auto first = static_cast<size_t>(begin), count = static_cast<size_t>(end - begin);
    find_rules(std::span(merges).subspan(first, count), vocabulary, prefix,
               std::span(rules).subspan(first, count));
  });
  for (size_t rank = 0; rank < rules.size(); ++rank) {
    const auto missing = std::ranges::find(rules[rank], kNoToken);
    if (missing == rules[rank].end()) continue;
    const auto& [left, right] = merges[rank];
    const std::array<std::string, 3> tokens = {std::string(left), std::string(right),
                                               joined(merges[rank], prefix)};
    return corrupt_model(
        fmt::format("merge {} ({:?} with {:?}) needs the token {:?}, which is not in the vocabulary", rank,
                    left, right, tokens[static_cast<size_t>(missing - rules[rank].begin())]));
  }
  return rules;
}
}  // namespace

Result<std::unique_ptr<Model>> read_bpe(const ModelSource& source) {
  const Fields& fields = source.fields;
  BpeOptions options;
  if (fields.has("dropout") && fields.json().at("dropout") != 0) {
    return make_error(ErrorCode::unsupported, "tokenizer.json: model BPE: dropout is not supported",
                      "set \"dropout\" to null: it randomises token ids and is meant for training runs only");
  }
  if (fields.has("unk_token")) {
    QUERN_TRY(options.unk_token, fields.string("unk_token"));
  }
  QUERN_TRY(options.continuing_subword_prefix, read_string(fields, "continuing_subword_prefix", ""));
  QUERN_TRY(options.end_of_word_suffix, read_string(fields, "end_of_word_suffix", ""));
  QUERN_TRY(options.fuse_unk, fields.flag("fuse_unk", false));
  QUERN_TRY(options.byte_fallback, fields.flag("byte_fallback", false));
  QUERN_TRY(options.ignore_merges, fields.flag("ignore_merges", false));
  QUERN_TRY(Vocabulary vocabulary, read_vocabulary(source));
  QUERN_TRY(auto merges, read_merges(source, vocabulary, options.continuing_subword_prefix));
  QUERN_TRY(std::unique_ptr<Bpe> bpe,
            Bpe::create(std::move(vocabulary), std::move(merges), std::move(options)));
  return std::unique_ptr<Model>(std::move(bpe));
}

}  // namespace quern::text
