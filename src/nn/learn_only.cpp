#include "nn/learn_only.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <vector>

namespace quern::nn {

namespace {

// With N for the numbers of layers, which makes the paths of a model a short list.
std::string without_numbers(std::string_view name) {
  std::string result;
  for (const char c : name) {
    if (!std::isdigit(static_cast<unsigned char>(c)))
      result += c;
    else if (result.empty() || result.ends_with('.'))
      result += 'N';
  }
  return result;
}

}  // namespace

bool names_part(std::string_view part, std::string_view name) {
  if (part.empty()) return false;
  for (size_t at = name.find(part); at != std::string_view::npos; at = name.find(part, at + 1)) {
    const size_t end = at + part.size();
    if ((at == 0 || name[at - 1] == '.') && (end == name.size() || name[end] == '.')) return true;
  }
  return false;
}

Result<void> learn_only(Module& module, std::span<const std::string> parts) {
  std::vector<std::string> names;
  visit(module, [&](const std::string& name, const Parameter&) { names.push_back(name); });
  for (const std::string& part : parts) {
    if (std::ranges::any_of(names, [&](const std::string& name) { return names_part(part, name); })) continue;
    std::set<std::string> kinds;
    for (const std::string& name : names) kinds.insert(without_numbers(name));
    return make_error(
        ErrorCode::invalid_argument, fmt::format("no parameter of the model is named '{}'", part),
        fmt::format("whole names of a path, such as blocks.0 or bias: it has {}", fmt::join(kinds, ", ")));
  }
  module.visit([&](const std::string& name, Parameter& parameter) {
    if (std::ranges::none_of(parts, [&](const std::string& part) { return names_part(part, name); }))
      parameter.set_trainable(false);
  });
  return {};
}

}  // namespace quern::nn
