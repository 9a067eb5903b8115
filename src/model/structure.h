// The module that a config describes, whatever its kind: for whoever needs parameters by name and nothing else.
#pragma once

#include <memory>

#include "model/config.h"
#include "nn/module.h"

namespace quern::model {

// Without values. Errors of config.validate().
Result<std::unique_ptr<nn::Module>> make_structure(const ModelConfig& config);

}  // namespace quern::model
