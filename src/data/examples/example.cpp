#include "data/examples/example.h"

#include <array>

namespace quern::data {

std::string_view name_of(ExampleKind kind) {
  constexpr std::array<std::string_view, 4> kNames = {"conversation", "completion", "preference", "unpaired"};
  return kNames[static_cast<size_t>(kind)];
}

std::string_view name_of(Fault fault) {
  constexpr std::array<std::string_view, kFaults> kNames = {
      "none",       "not_json",  "invalid_utf8",     "unknown_form", "missing_field", "bad_value",
      "bad_role",   "bad_order", "no_prompt",        "no_answer",    "empty_answer",  "equal_answers",
      "other_kind", "duplicate", "template_refused", "not_located",  "too_long",      "nothing_learnt"};
  return kNames[static_cast<size_t>(fault)];
}

nlohmann::ordered_json to_json(const Example& example) {
  nlohmann::ordered_json row;
  if (example.kind == ExampleKind::conversation) {
    row["messages"] = example.answer;
  } else {
    row["prompt"] = example.prompt;
    row[example.kind == ExampleKind::preference ? "chosen" : "completion"] = example.answer;
  }
  if (example.kind == ExampleKind::preference) row["rejected"] = example.rejected;
  if (example.kind == ExampleKind::preference && example.margin != 0.0) row["margin"] = example.margin;
  if (example.kind == ExampleKind::unpaired) row["label"] = example.wanted;
  if (!example.tools.is_null()) row["tools"] = example.tools;
  return row;
}

}  // namespace quern::data
