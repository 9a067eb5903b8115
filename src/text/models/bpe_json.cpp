#include <fmt/format.h>

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

Result<std::vector<Bpe::MergeRule>> read_merges(const ModelSource& source, const Vocabulary& vocabulary,
                                                const std::string& prefix) {
  QUERN_TRY(const element list,
            require_member(source, "merges", simdjson::dom::element_type::ARRAY, "a list"));
  std::vector<Bpe::MergeRule> merges;
  merges.reserve(simdjson::dom::array(list).size());
  std::string joined;
  for (const element merge : simdjson::dom::array(list)) {
    std::string_view text;
    if (merge.get(text) == simdjson::SUCCESS && text.starts_with("#version")) continue;
    QUERN_TRY(const MergeText sides, read_merge(merge, merges.size()));
    const std::string_view right = sides.right;
    joined.assign(sides.left).append(right.starts_with(prefix) ? right.substr(prefix.size()) : right);
    const Bpe::MergeRule rule = {vocabulary.find_token(sides.left), vocabulary.find_token(right),
                                 vocabulary.find_token(joined)};
    for (size_t i = 0; i < 3; ++i) {
      if (rule[i] != kNoToken) continue;
      const std::string_view missing = i == 0 ? sides.left : i == 1 ? right : std::string_view(joined);
      return corrupt_model(
          fmt::format("merge {} ({:?} with {:?}) needs the token {:?}, which is not in the vocabulary",
                      merges.size(), sides.left, right, missing));
    }
    merges.push_back(rule);
  }
  return merges;
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
