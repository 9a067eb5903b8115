#include "text/tokenizer_json.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "text/bpe.h"

namespace quern::text {

namespace {
using simdjson::dom::element;

Error corrupt(std::string what) {
  return make_error(ErrorCode::corrupt, "tokenizer.json: " + std::move(what));
}

// A small part of the document in the form the component readers take.
Json to_json(element value) { return Json::parse(std::string(simdjson::minify(value))); }

Result<element> require(element object, const char* key, simdjson::dom::element_type type,
                        std::string_view expected) {
  element value;
  if (object[key].get(value) != simdjson::SUCCESS) return corrupt(fmt::format("the model has no '{}'", key));
  if (value.type() != type) return corrupt(fmt::format("'{}' of the model must be {}", key, expected));
  return value;
}

// An id needs some bytes of the file, so the size of the file bounds the ids of a sound vocabulary.
Result<void> read_vocabulary(element model, int64_t id_limit, Vocabulary& vocabulary) {
  QUERN_TRY(const element table,
            require(model, "vocab", simdjson::dom::element_type::OBJECT, "an object of token: id"));
  vocabulary.reserve(simdjson::dom::object(table).size());
  for (const auto& [token, value] : simdjson::dom::object(table)) {
    int64_t id;
    if (value.get(id) != simdjson::SUCCESS)
      return corrupt(fmt::format("the id of token {:?} is not a whole number", token));
    if (auto added = vocabulary.add(token, id, id_limit); !added.ok())
      return std::move(added).error().within("tokenizer.json");
  }
  return {};
}

struct MergeText {
  std::string_view left, right;
};

// "a b" or ["a", "b"].
Result<MergeText> read_merge(element merge, size_t rank) {
  const auto wrong = [&] {
    return corrupt(fmt::format("merge {} must be \"left right\" or [\"left\", \"right\"]", rank));
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

Result<std::vector<Bpe::MergeRule>> read_merges(element model, const Vocabulary& vocabulary,
                                                const std::string& prefix) {
  QUERN_TRY(const element list, require(model, "merges", simdjson::dom::element_type::ARRAY, "a list"));
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
      return corrupt(
          fmt::format("merge {} ({:?} with {:?}) needs the token {:?}, which is not in the vocabulary",
                      merges.size(), sides.left, right, missing));
    }
    merges.push_back(rule);
  }
  return merges;
}

// The scalar fields of the model.
Json model_fields(element model) {
  Json fields = Json::object();
  for (const auto& [key, value] : simdjson::dom::object(model)) {
    if (key != "vocab" && key != "merges" && !value.is_object() && !value.is_array())
      fields[std::string(key)] = to_json(value);
  }
  return fields;
}

Result<std::unique_ptr<Model>> read_bpe(element model, const Fields& fields, bool byte_level,
                                        int64_t id_limit) {
  BpeOptions options;
  if (fields.has("dropout") && fields.json().at("dropout") != 0) {
    return make_error(ErrorCode::unsupported, "tokenizer.json: model BPE: dropout is not supported",
                      "set \"dropout\" to null: it randomises token ids and is meant for training runs only");
  }
  if (fields.has("unk_token")) {
    QUERN_TRY(options.unk_token, fields.string("unk_token"));
  }
  if (fields.has("continuing_subword_prefix")) {
    QUERN_TRY(options.continuing_subword_prefix, fields.string("continuing_subword_prefix"));
  }
  if (fields.has("end_of_word_suffix")) {
    QUERN_TRY(options.end_of_word_suffix, fields.string("end_of_word_suffix"));
  }
  QUERN_TRY(options.fuse_unk, fields.flag("fuse_unk", false));
  QUERN_TRY(options.byte_fallback, fields.flag("byte_fallback", false));
  QUERN_TRY(options.ignore_merges, fields.flag("ignore_merges", false));
  Vocabulary vocabulary(byte_level);
  QUERN_CHECK(read_vocabulary(model, id_limit, vocabulary));
  QUERN_TRY(auto merges, read_merges(model, vocabulary, options.continuing_subword_prefix));
  QUERN_TRY(std::unique_ptr<Bpe> bpe,
            Bpe::create(std::move(vocabulary), std::move(merges), std::move(options)));
  return std::unique_ptr<Model>(std::move(bpe));
}

Result<std::unique_ptr<Model>> read_model(element model, bool byte_level, int64_t id_limit) {
  if (!model.is_object()) return corrupt("'model' must be an object");
  const Json scalars = model_fields(model);
  const Fields fields("model", scalars);
  // Files written before "type" existed are BPE when they have merges.
  std::string type = "BPE";
  if (fields.has("type") || model["merges"].error() != simdjson::SUCCESS) {
    QUERN_TRY(type, fields.type());
  }
  if (type != "BPE") return fields.unsupported(type, "BPE");
  return read_bpe(model, fields, byte_level, id_limit);
}
}  // namespace

Result<TokenizerDocument> read_tokenizer_json(std::string_view json) {
  simdjson::dom::parser parser;
  element document;
  if (const auto error = parser.parse(json.data(), json.size()).get(document); error != simdjson::SUCCESS) {
    return corrupt(fmt::format("not valid JSON ({} bytes): {}", json.size(), simdjson::error_message(error)));
  }
  if (!document.is_object()) return corrupt("the document must be an object");
  TokenizerDocument read;
  read.rest = Json::object();
  element model;
  bool has_model = false;
  for (const auto& [key, value] : simdjson::dom::object(document)) {
    const bool is_model = key == "model";
    if (is_model) model = value;
    has_model = has_model || is_model;
    read.rest[std::string(key)] = is_model ? Json() : to_json(value);
  }
  if (!has_model) return corrupt("there is no 'model'");
  if (const auto version = read.rest.find("version"); version != read.rest.end() && *version != "1.0") {
    return make_error(
        ErrorCode::unsupported,
        fmt::format("tokenizer.json: version {} is not supported: expected \"1.0\"", version->dump()));
  }
  QUERN_TRY(read.pre_tokenizers, make_pre_tokenizers(read.rest.value("pre_tokenizer", Json())));
  QUERN_TRY(read.model, read_model(model, read.pre_tokenizers.byte_level, static_cast<int64_t>(json.size())));
  return read;
}

}  // namespace quern::text
