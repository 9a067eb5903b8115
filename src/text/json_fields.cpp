#include "text/json_fields.h"

#include <fmt/format.h>

#include "text/unicode.h"

namespace quern::text {

const Json* Fields::find(std::string_view key) const {
  if (!object_.is_object()) return nullptr;
  const auto it = object_.find(key);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

bool Fields::has(std::string_view key) const { return find(key) != nullptr; }

std::string Fields::name() const {
  const Json* type = find("type");
  return type && type->is_string() ? fmt::format("{} {}", what_, type->get_ref<const std::string&>())
                                   : std::string(what_);
}

Error Fields::wrong(std::string_view key, std::string_view expected) const {
  const Json* value = find(key);
  return make_error(ErrorCode::corrupt, fmt::format("tokenizer.json: {}: '{}' must be {}, got {}", name(),
                                                    key, expected, value ? value->type_name() : "nothing"));
}

Error Fields::unsupported(std::string_view type, std::string_view known) const {
  return make_error(ErrorCode::unsupported,
                    fmt::format("tokenizer.json: {} of type '{}' is not supported", what_, type),
                    fmt::format("supported: {}", known));
}

Result<std::string> Fields::type() const { return string("type"); }

Result<bool> Fields::flag(std::string_view key, bool fallback) const {
  const Json* value = find(key);
  if (!value) return fallback;
  if (!value->is_boolean()) return wrong(key, "true or false");
  return value->get<bool>();
}

Result<std::string> Fields::string(std::string_view key) const {
  const Json* value = find(key);
  if (!value || !value->is_string()) return wrong(key, "a string");
  return value->get<std::string>();
}

Result<std::string> Fields::character(std::string_view key) const {
  const Json* value = find(key);
  if (value && value->is_string()) {
    const std::string& text = value->get_ref<const std::string&>();
    if (!text.empty() && decode_utf8(text).length == text.size()) return text;
  }
  return wrong(key, "one character");
}

bool is_count(const Json& value, uint64_t most) {
  if (value.is_number_unsigned()) return value.get<uint64_t>() <= most;
  return value.is_number_integer() && value.get<int64_t>() >= 0 && value.get<uint64_t>() <= most;
}

Result<uint32_t> Fields::count(std::string_view key, uint32_t most) const {
  const Json* value = find(key);
  if (!value || !is_count(*value, most)) return wrong(key, fmt::format("a whole number from 0 to {}", most));
  return value->get<uint32_t>();
}

Result<const Json*> Fields::array(std::string_view key) const {
  const Json* value = find(key);
  if (!value || !value->is_array()) return wrong(key, "a list");
  return value;
}

Result<PatternField> Fields::pattern(std::string_view key) const {
  const Json* value = find(key);
  if (value && value->is_object() && value->size() == 1 && value->front().is_string()) {
    const std::string& kind = value->begin().key();
    if (kind == "String" || kind == "Regex")
      return PatternField{value->front().get<std::string>(), kind == "Regex"};
  }
  return wrong(key, R"({"String": ...} or {"Regex": ...})");
}

namespace {
Result<void> flatten_into(std::string_view what, const Json& component, std::string_view list_key, int depth,
                          std::vector<Fields>& out) {
  const Fields fields(what, component);
  QUERN_TRY(const std::string type, fields.type());
  if (type != "Sequence") {
    out.push_back(fields);
    return {};
  }
  if (depth == kMaxComponentDepth) {
    return make_error(ErrorCode::corrupt,
                      fmt::format("tokenizer.json: {}: Sequences are nested more than {} deep", what, depth));
  }
  QUERN_TRY(const Json* list, fields.array(list_key));
  for (const Json& item : *list) QUERN_CHECK(flatten_into(what, item, list_key, depth + 1, out));
  return {};
}
}  // namespace

Result<std::vector<Fields>> flatten_sequence(std::string_view what, const Json& component,
                                             std::string_view list_key) {
  std::vector<Fields> out;
  if (!component.is_null()) QUERN_CHECK(flatten_into(what, component, list_key, 0, out));
  return out;
}

}  // namespace quern::text
