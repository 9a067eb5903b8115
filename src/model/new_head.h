// An encoder that is to have another head than its files say: what begins to learn something new.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/config.h"

namespace quern::model {

struct NewHead {
  Head head = Head::none;
  Problem problem = Problem::single_label;  // of sequence classification
  std::vector<std::string> labels = {};     // of sequence and token classification
  uint64_t seed = 0;                        // of weights that begin anew
};

// `config` with this head, and the choices that its family makes for it. unsupported where the family has no such head.
// Precondition: a resolved config of Kind::encoder.
Result<ModelConfig> with_head(const ModelConfig& config, const NewHead& head);

}  // namespace quern::model
