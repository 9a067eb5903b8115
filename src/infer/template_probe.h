// A short conversation rendered with a model's chat template: how answers end there, and how prompts begin.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace quern::infer {

struct TemplateProbe {
  std::string text;             // what someone asks and the assistant answers, and no more
  std::string prompt;           // the same, and the header of another answer
  std::vector<int32_t> tokens;  // of it, without what the tokenizer puts around texts
  bool begins_with_bos = false;
  std::optional<int32_t> turn_end;  // the token after the assistant's turn
};

// What the assistant says in the probe.
inline constexpr std::string_view kProbeAnswer = "A hand mill.";

// Errors of ChatTemplates::render: there are templates that refuse even this.
Result<TemplateProbe> probe_template(const text::ChatTemplates& templates, const text::Tokenizer& tokenizer);

}  // namespace quern::infer
