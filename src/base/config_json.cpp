// Settings from JSON, where values have types already: "8" is no number.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/config.h"
#include "base/json.h"

namespace quern {

namespace {

using Json = nlohmann::ordered_json;

bool is_list_of(const Json& value, const auto& is_item) {
  return value.is_array() && std::ranges::all_of(value, is_item);
}

struct HasTypeOf {
  const Json& value;

  bool operator()(bool*) const { return value.is_boolean(); }
  bool operator()(const Field::Integer&) const { return value.is_number(); }
  bool operator()(const Field::Real&) const { return value.is_number(); }
  bool operator()(std::string*) const { return value.is_string(); }
  bool operator()(const Field::Choice&) const { return value.is_string(); }
  bool operator()(std::vector<std::string>*) const {
    return value.is_string() || is_list_of(value, [](const Json& item) { return item.is_string(); });
  }
  bool operator()(std::vector<int64_t>*) const {
    return value.is_number() || is_list_of(value, [](const Json& item) { return item.is_number(); });
  }
};

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

}  // namespace

Result<void> Field::assign_json(const Json& value, std::string_view where) {
  if (!std::visit(HasTypeOf{value}, target_)) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{}: {} must be {}, got {}", where, key_, expects(), json_excerpt(value)));
  }
  ConfigValue written{
      .kind = ConfigValue::Kind::scalar, .text = {}, .items = {}, .where = std::string(where)};
  if (value.is_array()) {
    written.kind = ConfigValue::Kind::list;
    for (const Json& item : value) written.items.push_back(text_of(item));
  } else {
    written.text = text_of(value);
  }
  return assign(written);
}

Result<std::vector<std::string>> Fields::load_json(const Json& object, std::string_view source) {
  if (!object.is_object()) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{}: expected an object, got {}", source, json_excerpt(object)));
  }
  std::vector<std::string> unknown;
  for (const auto& [key, value] : object.items()) {
    const auto field = std::ranges::find(fields_, key, &Field::key);
    if (field == fields_.end()) {
      unknown.push_back(key);
    } else if (!value.is_null()) {
      QUERN_CHECK(field->assign_json(value, source));
    }
  }
  return unknown;
}

}  // namespace quern
