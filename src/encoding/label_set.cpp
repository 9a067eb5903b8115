#include "encoding/label_set.h"

#include <algorithm>
#include <charconv>

namespace quern::encoding {

namespace {

std::optional<int64_t> number_of(const std::string& text) {
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

bool has_all(const std::vector<std::string>& names, const std::set<std::string>& found) {
  return std::ranges::all_of(
      found, [&](const std::string& name) { return std::ranges::find(names, name) != names.end(); });
}

}  // namespace

std::optional<std::string> label_name(const Row& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer() || value.is_boolean()) return value.dump();
  return std::nullopt;
}

LabelSet LabelSet::choose(const std::vector<std::string>& given, const std::vector<std::string>& of_model,
                          const std::set<std::string>& found) {
  LabelSet set;
  if (!given.empty()) {
    set.names_ = given;
  } else if (!of_model.empty() && of_model.front() != "LABEL_0" && has_all(of_model, found)) {
    set.names_ = of_model;
  } else {
    set.names_.assign(found.begin(), found.end());
    if (std::ranges::all_of(set.names_, [](const std::string& name) { return number_of(name).has_value(); }))
      std::ranges::sort(set.names_, {}, [](const std::string& name) { return *number_of(name); });
  }
  return set;
}

std::optional<int64_t> LabelSet::find(const std::string& name) const {
  const auto found = std::ranges::find(names_, name);
  if (found != names_.end()) return found - names_.begin();
  const std::optional<int64_t> number = number_of(name);
  return number && *number >= 0 && *number < static_cast<int64_t>(names_.size()) ? number : std::nullopt;
}

}  // namespace quern::encoding
