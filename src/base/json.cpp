#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "base/file.h"

namespace quern {

namespace {

constexpr size_t kExcerpt = 80;
constexpr size_t kMaxOrderedKeys = 2048;  // of an object

// Byte `offset` of `text` as "line:column", both from 1.
std::string place_of(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = std::ranges::count(before, '\n') + 1;
  const size_t column = before.size() - (before.rfind('\n') + 1) + 1;  // npos + 1 == 0
  return fmt::format("{}:{}", line, column);
}

struct Excess {
  size_t offset;
  std::string what;
};

// Where the nesting first exceeds `depth`, or an object has more than `keys`; before the parser runs, because its documents
// are torn down recursively, and ordered ones look for each key among all before it.
std::optional<Excess> excess_in(std::string_view text, int depth, size_t keys) {
  std::vector<size_t> counts;  // of keys, of what is open
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      counts.push_back(0);
      if (std::cmp_greater(counts.size(), depth))
        return Excess{i, fmt::format("nested more than {} deep", depth)};
    } else if (c == ']' || c == '}') {
      if (!counts.empty()) counts.pop_back();
    } else if (c == ':' && !counts.empty() && ++counts.back() > keys) {
      return Excess{i, fmt::format("an object of more than {} keys", keys)};
    }
  }
  return std::nullopt;
}

// nlohmann's "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..." from
// "syntax" on.
std::string reason_of(const nlohmann::json::exception& error) {
  const std::string_view text = error.what();
  const size_t start = text.find(": ");
  return std::string(start == std::string_view::npos ? text : text.substr(start + 2));
}

Error not_json(std::string_view source, std::string_view text, size_t offset, std::string_view reason) {
  return make_error(ErrorCode::corrupt,
                    fmt::format("{}:{}: not valid JSON: {}", source, place_of(text, offset), reason));
}

const nlohmann::json* find_path(const nlohmann::json& document, std::string_view path) {
  const nlohmann::json* place = &document;
  for (;;) {
    const size_t dot = std::min(path.find('.'), path.size());
    if (!place->is_object()) return nullptr;
    const auto found = place->find(path.substr(0, dot));
    if (found == place->end()) return nullptr;
    place = &*found;
    if (dot == path.size()) return place;
    path.remove_prefix(dot + 1);
  }
}

// What each C++ type accepts and is called; nullopt when the value is of another kind or does not fit.
std::optional<bool> convert(const nlohmann::json& value, const bool*) {
  return value.is_boolean() ? std::optional(value.get<bool>()) : std::nullopt;
}
std::optional<int64_t> convert(const nlohmann::json& value, const int64_t*) {
  const bool fits = value.is_number_integer() &&
                    !(value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX));
  return fits ? std::optional(value.get<int64_t>()) : std::nullopt;
}
std::optional<uint64_t> convert(const nlohmann::json& value, const uint64_t*) {
  return value.is_number_unsigned() ? std::optional(value.get<uint64_t>()) : std::nullopt;
}
std::optional<double> convert(const nlohmann::json& value, const double*) {
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}
std::optional<std::string> convert(const nlohmann::json& value, const std::string*) {
  return value.is_string() ? std::optional(value.get<std::string>()) : std::nullopt;
}
template <class T>
std::optional<std::vector<T>> convert(const nlohmann::json& value, const std::vector<T>*) {
  if (!value.is_array()) return std::nullopt;
  std::vector<T> items;
  for (const nlohmann::json& element : value) {
    std::optional<T> item = convert(element, static_cast<const T*>(nullptr));
    if (!item) return std::nullopt;
    items.push_back(*std::move(item));
  }
  return items;
}

const char* name_of(const bool*) { return "true or false"; }
const char* name_of(const int64_t*) { return "an integer"; }
const char* name_of(const uint64_t*) { return "an integer that is not negative"; }
const char* name_of(const double*) { return "a number"; }
const char* name_of(const std::string*) { return "text"; }
template <class T>
std::string name_of(const std::vector<T>*) {
  return fmt::format("a list, each item {}", name_of(static_cast<const T*>(nullptr)));
}

}  // namespace

namespace {
template <class Document>
Result<Document> parse(std::string_view text, std::string_view source, int max_depth, size_t max_keys) {
  if (const std::optional<Excess> excess = excess_in(text, max_depth, max_keys))
    return not_json(source, text, excess->offset, excess->what);
  try {
    return Document::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    return not_json(source, text, error.byte == 0 ? 0 : error.byte - 1, reason_of(error));
  } catch (const nlohmann::json::exception& error) {  // a number out of range
    return not_json(source, text, 0, reason_of(error));
  }
}
}  // namespace

Result<nlohmann::json> parse_json(std::string_view text, std::string_view source, int max_depth) {
  return parse<nlohmann::json>(text, source, max_depth, std::numeric_limits<size_t>::max());
}

Result<nlohmann::ordered_json> parse_ordered_json(std::string_view text, std::string_view source,
                                                  int max_depth) {
  return parse<nlohmann::ordered_json>(text, source, max_depth, kMaxOrderedKeys);
}

Result<nlohmann::json> read_json_file(const std::filesystem::path& path, uint64_t limit) {
  QUERN_TRY(const std::string text, read_file(path, limit));
  return parse_json(text, path.string());
}

std::string json_excerpt(const nlohmann::json& value) {
  std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > kExcerpt) text = text.substr(0, kExcerpt) + "...";
  return text;
}

template <class T>
Result<T> json_get(const nlohmann::json& document, std::string_view path, std::string_view source) {
  const T* const type = nullptr;
  const nlohmann::json* const value = find_path(document, path);
  if (value != nullptr) {
    if (std::optional<T> converted = convert(*value, type)) return *std::move(converted);
  }
  return make_error(ErrorCode::corrupt,
                    fmt::format("{}: {}: expected {}, got {}", source, path, name_of(type),
                                value == nullptr ? "nothing" : json_excerpt(*value)));
}

template Result<bool> json_get(const nlohmann::json&, std::string_view, std::string_view);
template Result<int64_t> json_get(const nlohmann::json&, std::string_view, std::string_view);
template Result<uint64_t> json_get(const nlohmann::json&, std::string_view, std::string_view);
template Result<double> json_get(const nlohmann::json&, std::string_view, std::string_view);
template Result<std::string> json_get(const nlohmann::json&, std::string_view, std::string_view);
template Result<std::vector<int64_t>> json_get(const nlohmann::json&, std::string_view, std::string_view);
template Result<std::vector<double>> json_get(const nlohmann::json&, std::string_view, std::string_view);
template Result<std::vector<std::string>> json_get(const nlohmann::json&, std::string_view, std::string_view);

}  // namespace quern
