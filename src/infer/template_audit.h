// Where a model's chat template, its tokenizer and its list of end tokens do not fit together: the mistakes
// in published files that make a model ramble on, or answer worse than it could, without any error.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "infer/language.h"

namespace quern::infer {

struct Finding {
  enum class Kind {
    refused,        // the template refuses even one question and its answer
    double_bos,     // prompts begin with two beginning-of-text tokens
    bos_written,    // the template writes it and the tokenizer would add it: it is not added. No mistake.
    no_turn_end,    // the template writes no token after an answer
    unlisted_end,   // the token it writes there is not among the end tokens that the files list
    unknown_end,    // a listed end token is not in the vocabulary
    unknown_token,  // what looks like a special token of the template is not in the vocabulary: it is split
    round_trip,     // the tokens of a prompt, as text, are not the same tokens again
  };
  Kind kind;
  std::string message;

  bool is_mistake() const { return kind != Kind::bos_written; }
};

// "unlisted_end", as it is written here.
std::string_view name_of(Finding::Kind kind);

// Empty for a model without chat templates whose end tokens are all known.
std::vector<Finding> audit_template(const Language& language);

}  // namespace quern::infer
