// TemplateProcessing: surroundings as the file spells them.
#include <fmt/format.h>

#include "text/post_processors/around.h"

namespace quern::text {

namespace {
using Part = PostProcessor::Part;
using Texts = Surrounded::Texts;

Result<std::vector<TokenId>> read_ids(const Json& special, size_t id_end) {
  const Fields fields("post_processor TemplateProcessing", special);
  QUERN_TRY(const Json* list, fields.array("ids"));
  std::vector<TokenId> ids;
  for (const Json& json : *list) {
    QUERN_TRY(const TokenId id, read_special_id(json, id_end));
    ids.push_back(id);
  }
  return ids;
}

// Appends what one piece of the template stands for.
Result<void> add_piece(const Json& json, const Json& specials, size_t id_end, const Texts& texts,
                       std::vector<Part>& parts) {
  const Fields piece("post_processor TemplateProcessing", json);
  const bool is_sequence = piece.has("Sequence");
  const std::string_view key = is_sequence ? "Sequence" : "SpecialToken";
  if (!piece.has(key)) return piece.wrong("Sequence", "there, or 'SpecialToken'");
  const Fields fields("post_processor TemplateProcessing", json.at(std::string(key)));
  QUERN_TRY(const std::string id, fields.string("id"));
  uint32_t type_id = 0;
  if (fields.has("type_id")) {
    QUERN_TRY(type_id, fields.count("type_id", INT32_MAX));
  }
  if (is_sequence) {
    if (id != "A" && (id != "B" || texts.size() < 2))
      return fields.wrong("id", texts.size() < 2 ? "\"A\"" : "\"A\" or \"B\"");
    for (Part part : texts[id == "B"]) {
      part.type_id = static_cast<int32_t>(type_id);
      parts.push_back(std::move(part));
    }
    return {};
  }
  const auto it = specials.find(id);
  if (it == specials.end()) {
    return make_error(
        ErrorCode::corrupt,
        fmt::format("tokenizer.json: post_processor: the template names the special token {:?}, "
                    "which 'special_tokens' does not list",
                    id));
  }
  QUERN_TRY(std::vector<TokenId> ids, read_ids(*it, id_end));
  parts.push_back({-1, std::move(ids), static_cast<int32_t>(type_id)});
  return {};
}

Result<std::vector<Part>> read_template(const Fields& fields, std::string_view key, size_t id_end,
                                        const Texts& texts) {
  QUERN_TRY(const Json* list, fields.array(key));
  const auto specials = fields.json().find("special_tokens");
  if (specials == fields.json().end() || !specials->is_object())
    return fields.wrong("special_tokens", "an object");
  std::vector<Part> parts;
  for (const Json& json : *list) QUERN_CHECK(add_piece(json, *specials, id_end, texts, parts));
  return parts;
}
}  // namespace

Result<void> add_template(const Fields& fields, size_t id_end, Surrounded& texts) {
  if (texts.joined) {
    return make_error(ErrorCode::unsupported,
                      "tokenizer.json: post_processor: more than one TemplateProcessing is not supported");
  }
  QUERN_TRY(std::vector<Part> single, read_template(fields, "single", id_end, texts.single));
  QUERN_TRY(std::vector<Part> pair, read_template(fields, "pair", id_end, texts.pair));
  texts.single = {std::move(single)};
  texts.pair = {std::move(pair)};
  texts.joined = true;
  return {};
}

}  // namespace quern::text
