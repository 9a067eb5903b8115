#include "formats/gguf/metadata.h"

#include <fmt/format.h>

#include <optional>
#include <type_traits>
#include <utility>

#include "base/json.h"

namespace quern::formats {

namespace {

constexpr std::string_view kTypeNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                           "bool", "string", "array", "u64", "i64", "f64"};
static_assert(std::size(kTypeNames) == kGgufTypeCount);

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

// A scalar of a file as the T that the caller asked for, when it is one.
template <class T, class From>
std::optional<T> convert(const From& from) {
  if constexpr (std::is_same_v<T, From>) {
    return from;
  } else if constexpr (std::is_same_v<T, double>) {
    if constexpr (std::is_floating_point_v<From>) return static_cast<double>(from);
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    if constexpr (std::is_integral_v<From> && !std::is_same_v<From, bool>) {
      if (std::in_range<T>(from)) return static_cast<T>(from);
    }
  }
  return std::nullopt;
}

template <class T>
constexpr std::string_view expectation() {
  if constexpr (IsVector<T>::value) {
    return "an array, each element ";
  } else if constexpr (std::is_same_v<T, bool>) {
    return "a bool";
  } else if constexpr (std::is_same_v<T, int64_t>) {
    return "an integer from -2^63 to 2^63 - 1";
  } else if constexpr (std::is_same_v<T, uint64_t>) {
    return "an integer from 0 to 2^64 - 1";
  } else if constexpr (std::is_same_v<T, double>) {
    return "a floating number";
  } else {
    static_assert(std::is_same_v<T, std::string>);
    return "a string";
  }
}

template <class T>
Error mismatch(std::string_view key, const GgufValue& value, std::string_view detail = {}) {
  std::string expected(expectation<T>());
  if constexpr (IsVector<T>::value) expected += expectation<typename T::value_type>();
  return make_error(ErrorCode::corrupt,
                    fmt::format("gguf: {} is {}, expected {}{}", key, describe(value), expected, detail),
                    "the file is damaged, or written by a tool that spells this key otherwise");
}

template <class T>
Result<T> array_as(std::string_view key, const GgufValue& value) {
  using Element = typename T::value_type;
  const GgufArray* array = std::get_if<GgufArray>(&value);
  if (array == nullptr) return mismatch<T>(key, value);
  return std::visit(
      [&]<class From>(const From& from) -> Result<T> {
        if constexpr (std::is_same_v<From, T>) {
          return from;
        } else if constexpr (IsVector<From>::value) {
          T result;
          result.reserve(from.size());
          for (size_t i = 0; i < from.size(); ++i) {
            const std::optional<Element> element =
                convert<Element>(static_cast<typename From::value_type>(from[i]));
            if (!element) return mismatch<T>(key, value, fmt::format("; element {} is none", i));
            result.push_back(*element);
          }
          return result;
        } else {
          return mismatch<T>(key, value);
        }
      },
      *array);
}

}  // namespace

std::string_view gguf_type_name(uint32_t type) { return kTypeNames[type]; }

size_t gguf_length(const GgufValue& value) {
  const GgufArray* array = std::get_if<GgufArray>(&value);
  if (array == nullptr) return 1;
  return std::visit(
      []<class T>(const T& elements) -> size_t {
        if constexpr (IsVector<T>::value)
          return elements.size();
        else
          return 0;
      },
      *array);
}

std::string describe(const GgufValue& value) {
  const std::string_view type = gguf_type_name(static_cast<uint32_t>(value.index()));
  return std::visit(
      [&]<class T>(const T& held) -> std::string {
        if constexpr (std::is_same_v<T, GgufArray>)
          return fmt::format("array of {} {}", gguf_length(value),
                             gguf_type_name(static_cast<uint32_t>(held.index())));
        else if constexpr (std::is_same_v<T, std::string>)
          return fmt::format("string {}", json_excerpt(held));
        else
          return fmt::format("{} {}", type, held);
      },
      value);
}

const GgufValue* GgufMetadata::find(std::string_view key) const {
  const auto at = index_.find(key);
  return at == index_.end() ? nullptr : &entries_[at->second].value;
}

void GgufMetadata::set(std::string key, GgufValue value) {
  const auto [at, added] = index_.emplace(key, entries_.size());
  if (added)
    entries_.push_back({std::move(key), std::move(value)});
  else
    entries_[at->second].value = std::move(value);
}

void GgufMetadata::erase(std::string_view key) {
  const auto at = index_.find(key);
  if (at == index_.end()) return;
  const size_t gone = at->second;
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(gone));
  index_.erase(at);
  for (auto& [name, position] : index_) position -= position > gone ? 1 : 0;
}

template <class T>
Result<T> GgufMetadata::get(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) {
    return make_error(ErrorCode::not_found, fmt::format("gguf: there is no metadata {}", key),
                      "the file may be of another architecture, or incomplete");
  }
  if constexpr (IsVector<T>::value) {
    return array_as<T>(key, *value);
  } else {
    const std::optional<T> result = std::visit([](const auto& held) { return convert<T>(held); }, *value);
    if (!result) return mismatch<T>(key, *value);
    return *result;
  }
}

template Result<bool> GgufMetadata::get(std::string_view) const;
template Result<int64_t> GgufMetadata::get(std::string_view) const;
template Result<uint64_t> GgufMetadata::get(std::string_view) const;
template Result<double> GgufMetadata::get(std::string_view) const;
template Result<std::string> GgufMetadata::get(std::string_view) const;
template Result<std::vector<bool>> GgufMetadata::get(std::string_view) const;
template Result<std::vector<int64_t>> GgufMetadata::get(std::string_view) const;
template Result<std::vector<uint64_t>> GgufMetadata::get(std::string_view) const;
template Result<std::vector<double>> GgufMetadata::get(std::string_view) const;
template Result<std::vector<std::string>> GgufMetadata::get(std::string_view) const;

}  // namespace quern::formats
