// Configuration: a struct lists its fields once, and from that list come YAML files, --set key=value,
// --print-config,
// --help and JSON. Unknown keys are errors that name the nearest one.
//
//   struct TrainConfig {
//     int64_t steps = 1000;
//     Schedule schedule = Schedule::cosine;
//     OptimizerConfig optimizer;
//     void fields(Fields& f) {
//       f.add("steps", steps, "optimizer steps").at_least(1);
//       f.add("schedule", schedule, "learning-rate schedule", {{"cosine", Schedule::cosine}, {"wsd",
//       Schedule::wsd}}); f.group("optimizer", optimizer);
//     }
//   };
//   TrainConfig config;
//   Fields fields = fields_of(config);
//   QUERN_CHECK(fields.load_file("train.yaml"));          // optimizer: {lr: 3e-4}
//   QUERN_CHECK(fields.set("optimizer.lr=1e-3"));
//   QUERN_CHECK(fields.check_required());
//
// A Fields refers to its struct, which must outlive it and stay where it is. Not thread-safe.
#pragma once

#include <concepts>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace YAML {
class Node;
}

namespace quern {

// A value as it was written, before it is known what its field expects.
struct ConfigValue {
  enum class Kind { scalar, list, null, other };
  Kind kind = Kind::scalar;
  std::string text;                // scalar
  std::vector<std::string> items;  // list of scalars
  std::string where;               // "train.yaml:3" or "--set"
};

// One setting: its dotted key, where it lives, what it may be. Made by Fields::add.
class Field {
 public:
  struct Integer {
    std::function<int64_t()> get;
    std::function<void(int64_t)> set;
    int64_t low, high;  // what the member can hold
  };
  struct Real {
    std::function<double()> get;
    std::function<void(double)> set;
    bool is_float = false;  // the member has single precision: 0.1f is shown as 0.1
  };
  struct Choice {
    std::vector<std::string> names;
    std::function<size_t()> get;  // index into names; names.size() when the value has none
    std::function<void(size_t)> set;
  };
  using Target = std::variant<bool*, Integer, Real, std::string*, std::vector<std::string>*,
                              std::vector<int64_t>*, Choice>;

  Field(std::string key, Target target, std::string help)
      : key_(std::move(key)), help_(std::move(help)), target_(std::move(target)) {}

  // Restrict numbers; bounds are inclusive.
  Field& at_least(double low) { return range(low, high_); }
  Field& range(double low, double high);
  // Restricts text to these words.
  Field& one_of(std::vector<std::string> words);
  // Fields::check_required() refuses an empty text or list.
  Field& required();

  const std::string& key() const { return key_; }
  const std::string& help() const { return help_; }
  // "integer >= 1", "number in [0, 1]", "cosine | linear", "text", "list of integers", ...
  std::string expects() const;
  nlohmann::ordered_json value() const;
  // Where the value was set ("train.yaml:3", "--set"); empty while it is the default.
  const std::string& origin() const { return origin_; }
  bool is_missing() const;

  // invalid_argument names key, place, expected and got; the struct is unchanged then.
  Result<void> assign(const ConfigValue& value);
  // The same of a value that has a type: only numbers are numbers. A list may be written as its one item.
  Result<void> assign_json(const nlohmann::ordered_json& value, std::string_view where);

 private:
  std::string key_;
  std::string help_;
  Target target_;
  double low_ = -std::numeric_limits<double>::infinity();
  double high_ = std::numeric_limits<double>::infinity();
  std::vector<std::string> words_;
  bool required_ = false;
  std::string origin_;
};

class Fields {
 public:
  Field& add(std::string_view key, bool& value, std::string help) {
    return append(key, &value, std::move(help));
  }
  Field& add(std::string_view key, std::string& value, std::string help) {
    return append(key, &value, std::move(help));
  }
  Field& add(std::string_view key, std::vector<std::string>& value, std::string help) {
    return append(key, &value, std::move(help));
  }
  Field& add(std::string_view key, std::vector<int64_t>& value, std::string help) {
    return append(key, &value, std::move(help));
  }

  template <std::integral T>
  Field& add(std::string_view key, T& value, std::string help) {
    constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
    constexpr int64_t kHigh = std::cmp_less(std::numeric_limits<T>::max(), kMax)
                                  ? static_cast<int64_t>(std::numeric_limits<T>::max())
                                  : kMax;
    return append(key,
                  Field::Integer{[&value] { return static_cast<int64_t>(value); },
                                 [&value](int64_t v) { value = static_cast<T>(v); },
                                 static_cast<int64_t>(std::numeric_limits<T>::min()), kHigh},
                  std::move(help));
  }

  template <std::floating_point T>
  Field& add(std::string_view key, T& value, std::string help) {
    return append(key,
                  Field::Real{[&value] { return static_cast<double>(value); },
                              [&value](double v) { value = static_cast<T>(v); }, std::same_as<T, float>},
                  std::move(help));
  }

  // An enum, with the name of each value.
  template <class E>
  requires std::is_enum_v<E> Field& add(std::string_view key, E& value, std::string help,
                                        const std::vector<std::pair<std::string, E>>& choices) {
    std::vector<std::string> names;
    std::vector<E> values;
    for (const auto& [name, choice] : choices) names.push_back(name), values.push_back(choice);
    return append(key,
                  Field::Choice{std::move(names),
                                [&value, values] {
                                  size_t i = 0;
                                  while (i < values.size() && values[i] != value) ++i;
                                  return i;
                                },
                                [&value, values](size_t i) { value = values[i]; }},
                  std::move(help));
  }

  // The fields of a part, under "name.".
  template <class Config>
  void group(std::string_view name, Config& config) {
    const size_t outer = prefix_.size();
    prefix_.append(name).push_back('.');
    config.fields(*this);
    prefix_.resize(outer);
  }

  // Nested maps or dotted keys, or both; `source` names the text in errors. A value set by a file replaces
  // one set before; a key twice in one file is an error. invalid_argument for bad YAML, unknown keys and
  // wrong values.
  Result<void> load_yaml(std::string_view text, std::string_view source);
  Result<void> load_yaml(const YAML::Node& root, std::string_view source);
  Result<void> load_file(const std::filesystem::path& path);
  // "key=value". Lists are "a,b,c" or "[a, b, c]"; text is taken as it stands. `source` names the flag in
  // errors.
  Result<void> set(std::string_view setting, std::string_view source = "--set");
  // The keys of an object that name fields, null for those that keep their value; returns the others, in order.
  // invalid_argument for anything but an object, and wrong values or types.
  Result<std::vector<std::string>> load_json(const nlohmann::ordered_json& object, std::string_view source);
  // invalid_argument names the first required field that is still empty.
  Result<void> check_required() const;

  // All values with their meaning as comments; load_yaml() accepts it.
  std::string to_yaml() const;
  // Nested objects.
  nlohmann::ordered_json to_json() const;
  // One line per field: key, default, meaning, what it expects.
  std::string help() const;

  const std::deque<Field>& all() const { return fields_; }
  // nullptr when there is none.
  const Field* find(std::string_view key) const;
  // Whether somebody chose it: there is such a field, and it has an origin.
  bool is_set(std::string_view key) const;

 private:
  Field& append(std::string_view key, Field::Target target, std::string help);
  Result<void> assign(std::string_view key, const ConfigValue& value);

  std::string prefix_;
  std::deque<Field> fields_;  // a deque: add() hands out references
};

template <class Config>
Fields fields_of(Config& config) {
  Fields fields;
  config.fields(fields);
  return fields;
}

}  // namespace quern
