#include "text/post_processor.h"

#include <fmt/format.h>

namespace quern::text {

namespace {
constexpr std::string_view kKnown = "TemplateProcessing, ByteLevel, Sequence";

Result<std::vector<TokenId>> read_ids(const Json& special, size_t id_end) {
  const Fields fields("post_processor TemplateProcessing", special);
  QUERN_TRY(const Json* list, fields.array("ids"));
  std::vector<TokenId> ids;
  for (const Json& id : *list) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= id_end) {
      return make_error(
          ErrorCode::corrupt,
          fmt::format("tokenizer.json: post_processor: a special token has the id {}: expected 0 to {}",
                      id.dump(), id_end - 1));
    }
    ids.push_back(id.get<TokenId>());
  }
  return ids;
}

Result<PostProcessor::Part> read_part(const Json& json, const Json& specials, size_t id_end) {
  const Fields piece("post_processor TemplateProcessing", json);
  const bool is_sequence = piece.has("Sequence");
  const std::string_view key = is_sequence ? "Sequence" : "SpecialToken";
  if (!piece.has(key)) return piece.wrong("Sequence", "there, or 'SpecialToken'");
  const Fields fields("post_processor TemplateProcessing", json.at(std::string(key)));
  auto named = fields.string("id");
  if (!named.ok()) return std::move(named).error();
  const std::string& id = *named;
  PostProcessor::Part part;
  if (is_sequence) {
    if (id != "A" && id != "B") return fields.wrong("id", "\"A\" or \"B\"");
    part.sequence = id == "B";
    return part;
  }
  const auto it = specials.find(id);
  if (it == specials.end()) {
    return make_error(
        ErrorCode::corrupt,
        fmt::format("tokenizer.json: post_processor: the template names the special token {:?}, "
                    "which 'special_tokens' does not list",
                    id));
  }
  QUERN_TRY(part.ids, read_ids(*it, id_end));
  return part;
}

Result<std::vector<PostProcessor::Part>> read_template(const Fields& fields, std::string_view key,
                                                       size_t id_end) {
  QUERN_TRY(const Json* list, fields.array(key));
  const auto specials = fields.json().find("special_tokens");
  if (specials == fields.json().end() || !specials->is_object())
    return fields.wrong("special_tokens", "an object");
  std::vector<PostProcessor::Part> parts;
  for (const Json& json : *list) {
    QUERN_TRY(PostProcessor::Part part, read_part(json, *specials, id_end));
    parts.push_back(std::move(part));
  }
  return parts;
}
}  // namespace

Result<PostProcessor> PostProcessor::load(const Json& component, size_t id_end) {
  QUERN_TRY(const std::vector<Fields> list, flatten_sequence("post_processor", component, "processors"));
  PostProcessor made;
  for (const Fields& fields : list) {
    QUERN_TRY(const std::string type, fields.type());
    if (type == "ByteLevel") continue;  // concerns offsets only
    if (type != "TemplateProcessing") return fields.unsupported(type, kKnown);
    if (!made.single.empty()) {
      return make_error(ErrorCode::unsupported,
                        "tokenizer.json: post_processor: more than one TemplateProcessing is not supported");
    }
    QUERN_TRY(made.single, read_template(fields, "single", id_end));
    QUERN_TRY(made.pair, read_template(fields, "pair", id_end));
  }
  return made;
}

}  // namespace quern::text
