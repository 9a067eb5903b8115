// Field: from written values to typed ones and back.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/config.h"
#include "base/nearest.h"

namespace quern {

namespace {

using Json = nlohmann::ordered_json;

template <class... Cases>
struct Match : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Match(Cases...) -> Match<Cases...>;

std::optional<double> parse_real(std::string_view text) {
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

// "1000", or a number that is whole, such as 1e6.
std::optional<int64_t> parse_integer(std::string_view text) {
  int64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status == std::errc() && end == text.data() + text.size()) return value;
  const std::optional<double> real = parse_real(text);
  if (!real || *real != std::floor(*real) || std::abs(*real) > 0x1p53) return std::nullopt;
  return static_cast<int64_t>(*real);
}

std::optional<bool> parse_bool(std::string_view text) {
  for (const std::string_view word : {"true", "yes", "on", "True"}) {
    if (text == word) return true;
  }
  for (const std::string_view word : {"false", "no", "off", "False"}) {
    if (text == word) return false;
  }
  return std::nullopt;
}

std::string describe(const ConfigValue& value) {
  switch (value.kind) {
    case ConfigValue::Kind::scalar:
      return fmt::format("'{}'", value.text);
    case ConfigValue::Kind::list:
      return fmt::format("a list of {}", value.items.size());
    case ConfigValue::Kind::null:
      return "nothing";
    case ConfigValue::Kind::other:
      break;
  }
  return "a map or nested list";
}

std::string bounds_text(std::string_view kind, double low, double high) {
  if (std::isfinite(low) && std::isfinite(high)) return fmt::format("{} in [{:g}, {:g}]", kind, low, high);
  if (std::isfinite(low)) return fmt::format("{} >= {:g}", kind, low);
  if (std::isfinite(high)) return fmt::format("{} <= {:g}", kind, high);
  return std::string(kind);
}

}  // namespace

Field& Field::range(double low, double high) {
  low_ = low;
  high_ = high;
  return *this;
}

Field& Field::one_of(std::vector<std::string> words) {
  words_ = std::move(words);
  return *this;
}

Field& Field::required() {
  required_ = true;
  return *this;
}

std::string Field::expects() const {
  return std::visit(
      Match{
          [](bool*) { return std::string("true or false"); },
          [&](const Integer&) { return bounds_text("integer", low_, high_); },
          [&](const Real&) { return bounds_text("number", low_, high_); },
          [&](std::string*) { return words_.empty() ? "text" : fmt::format("{}", fmt::join(words_, " | ")); },
          [](std::vector<std::string>*) { return std::string("list of text"); },
          [&](std::vector<int64_t>*) { return bounds_text("list of integers", low_, high_); },
          [](const Choice& choice) { return fmt::format("{}", fmt::join(choice.names, " | ")); }},
      target_);
}

Json Field::value() const {
  return std::visit(Match{[](const Integer& integer) { return Json(integer.get()); },
                          [](const Real& real) {
                            if (!real.is_float) return Json(real.get());
                            return Json(*parse_real(fmt::format("{}", static_cast<float>(real.get()))));
                          },
                          [](const Choice& choice) {
                            const size_t index = choice.get();
                            return index < choice.names.size() ? Json(choice.names[index]) : Json(nullptr);
                          },
                          [](const auto* plain) { return Json(*plain); }},
                    target_);
}

bool Field::is_missing() const {
  if (!required_) return false;
  if (const auto* text = std::get_if<std::string*>(&target_)) return (*text)->empty();
  if (const auto* list = std::get_if<std::vector<std::string>*>(&target_)) return (*list)->empty();
  if (const auto* list = std::get_if<std::vector<int64_t>*>(&target_)) return (*list)->empty();
  return origin_.empty();
}

Result<void> Field::assign(const ConfigValue& value) {
  const auto refuse = [&](std::string hint = {}) -> Result<void> {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{}: {} must be {}, got {}", value.where, key_, expects(), describe(value)),
                      hint);
  };
  const bool scalar = value.kind == ConfigValue::Kind::scalar;
  const auto within = [&](double number) { return number >= low_ && number <= high_; };
  const Result<void> assigned = std::visit(
      Match{[&](bool* target) {
              const auto parsed = scalar ? parse_bool(value.text) : std::nullopt;
              if (!parsed) return refuse();
              *target = *parsed;
              return Result<void>();
            },
            [&](const Integer& target) {
              const auto parsed = scalar ? parse_integer(value.text) : std::nullopt;
              if (!parsed || !within(static_cast<double>(*parsed))) return refuse();
              if (*parsed < target.low || *parsed > target.high) {
                return refuse(fmt::format("the largest range is {} to {}", target.low, target.high));
              }
              target.set(*parsed);
              return Result<void>();
            },
            [&](const Real& target) {
              const auto parsed = scalar ? parse_real(value.text) : std::nullopt;
              if (!parsed || !within(*parsed)) return refuse();
              target.set(*parsed);
              return Result<void>();
            },
            [&](std::string* target) {
              if (!scalar) return refuse();
              if (!words_.empty() && std::ranges::find(words_, value.text) == words_.end()) {
                return refuse(suggestion(value.text, words_));
              }
              *target = value.text;
              return Result<void>();
            },
            [&](std::vector<std::string>* target) {
              if (value.kind != ConfigValue::Kind::list && !scalar) return refuse();
              *target = scalar ? std::vector{value.text} : value.items;
              return Result<void>();
            },
            [&](std::vector<int64_t>* target) {
              if (value.kind != ConfigValue::Kind::list && !scalar) return refuse();
              std::vector<int64_t> numbers;
              for (const std::string& item : scalar ? std::vector{value.text} : value.items) {
                const auto parsed = parse_integer(item);
                if (!parsed || !within(static_cast<double>(*parsed))) {
                  return refuse(fmt::format("'{}' is not such an integer", item));
                }
                numbers.push_back(*parsed);
              }
              *target = std::move(numbers);
              return Result<void>();
            },
            [&](const Choice& target) {
              const auto name = std::ranges::find(target.names, value.text);
              if (!scalar || name == target.names.end()) return refuse(suggestion(value.text, target.names));
              target.set(static_cast<size_t>(name - target.names.begin()));
              return Result<void>();
            }},
      target_);
  if (assigned.ok()) origin_ = value.where;
  return assigned;
}

}  // namespace quern
