#include "model/gguf_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace quern::model {

namespace {
// The shortest decimal that rounds to the same float: what the writer of 1e-5 meant.
double meant(double value) {
  const auto single = static_cast<float>(value);
  if (static_cast<double>(single) != value) return value;
  return std::strtod(fmt::format("{}", single).c_str(), nullptr);
}
}  // namespace

void GgufKeys::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

void GgufKeys::wrong(std::string_view key, std::string_view expected) {
  const formats::GgufValue* value = metadata_.find(full(key));
  const std::string got = value == nullptr ? "missing" : formats::describe(*value);
  fail(make_error(ErrorCode::corrupt, fmt::format("gguf: {} is {}, expected {}", full(key), got, expected)));
}

// The one value of a list for all layers.
std::optional<int64_t> GgufKeys::per_layer(std::string_view key, int64_t layers) {
  Result<std::vector<int64_t>> list = metadata_.get<std::vector<int64_t>>(full(key));
  if (!list.ok()) {
    fail(std::move(list).error());
  } else if (static_cast<int64_t>(list->size()) < layers || layers == 0) {
    wrong(key, layers == 0 ? "one integer" : fmt::format("an integer for each of {} layers", layers));
  } else if (std::ranges::adjacent_find(*list, std::ranges::not_equal_to()) != list->end()) {
    fail(make_error(
        ErrorCode::unsupported,
        fmt::format("gguf: {} differs from layer to layer; Quern has such models not", full(key))));
  } else {
    return list->front();
  }
  return std::nullopt;
}

int64_t GgufKeys::count(std::string_view key, int64_t low, int64_t high, std::optional<int64_t> fallback,
                        int64_t layers) {
  const formats::GgufValue* value = metadata_.find(full(key));
  std::optional<int64_t> number = fallback;
  if (value != nullptr && std::holds_alternative<formats::GgufArray>(*value)) {
    number = per_layer(key, layers);
  } else if (value != nullptr) {
    const Result<int64_t> read = metadata_.get<int64_t>(full(key));
    number = read.ok() ? std::optional(*read) : std::nullopt;
  }
  if (number && *number >= low && *number <= high) return *number;
  wrong(key, fmt::format("an integer from {} to {}", low, high));
  return low;
}

double GgufKeys::number(std::string_view key, std::optional<double> fallback, bool may_be_zero) {
  if (!has(key) && fallback) return *fallback;
  const Result<double> value = metadata_.get<double>(full(key));
  if (value.ok() && std::isfinite(*value) && (*value > 0.0 || (may_be_zero && *value == 0.0)))
    return meant(*value);
  wrong(key, may_be_zero ? "a finite number of at least 0" : "a finite number above 0");
  return 1.0;
}

std::string GgufKeys::text(std::string_view key, const std::string& fallback) {
  Result<std::string> value = metadata_.get_or<std::string>(full(key), fallback);
  if (value.ok()) return *value;
  fail(std::move(value).error());
  return fallback;
}

bool GgufKeys::flag(std::string_view key, bool fallback) {
  Result<bool> value = metadata_.get_or<bool>(full(key), fallback);
  if (value.ok()) return *value;
  fail(std::move(value).error());
  return fallback;
}

std::vector<bool> GgufKeys::pattern(std::string_view key, int64_t layers) {
  const formats::GgufValue* value = metadata_.find(full(key));
  std::vector<bool> result;
  if (value == nullptr || !std::holds_alternative<formats::GgufArray>(*value)) {
    const int64_t period = count(key, 0, layers + 1, 0);
    for (int64_t layer = 0; layer < layers; ++layer)
      result.push_back(period == 0 || (layer + 1) % period != 0);
    return result;
  }
  if (const auto flags = metadata_.get<std::vector<bool>>(full(key)); flags.ok()) {
    result = *flags;
  } else if (const auto numbers = metadata_.get<std::vector<int64_t>>(full(key)); numbers.ok()) {
    for (const int64_t number : *numbers) result.push_back(number != 0);
  }
  if (static_cast<int64_t>(result.size()) < layers)
    wrong(key, fmt::format("a bool for each of {} layers", layers));
  result.resize(static_cast<size_t>(layers));
  return result;
}

Result<void> GgufKeys::finish() const {
  if (error_) return *error_;
  return {};
}

}  // namespace quern::model
