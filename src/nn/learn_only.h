// Training a part of a model: layers that stay as they are, or biases alone (BitFit, arXiv 2106.10199).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "nn/module.h"

namespace quern::nn {

// Whether whole names of the path `name`, in a row, are `part`: "bias", "blocks.3" and "attention.q" are parts of
// "blocks.3.attention.q.bias".
bool names_part(std::string_view part, std::string_view name);

// Parameters that none of `parts` names stop to be trainable. invalid_argument for a part that names none, with what there
// is; nothing has changed then.
Result<void> learn_only(Module& module, std::span<const std::string> parts);

}  // namespace quern::nn
