// The special tokens around texts, as a post-processor of tokenizer.json.
#pragma once

#include <optional>
#include <string>

#include "text/json_fields.h"
#include "text/vocabulary.h"

namespace quern::text {

struct NamedToken {
  std::string text;
  TokenId id = kNoToken;
};

struct Surroundings {
  std::optional<NamedToken> before = std::nullopt;
  std::optional<NamedToken> after = std::nullopt;
  bool before_second = true;  // `before` stands before the second text of a pair, too
};

// TemplateProcessing; null when there is nothing to add.
Json surroundings_json(const Surroundings& surroundings);

}  // namespace quern::text
