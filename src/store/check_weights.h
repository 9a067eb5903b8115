// Whether a file of weights is whole, by its head: before it enters the store.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace quern::store {

// Looks into files named *.gguf and *.safetensors; others pass. corrupt for what does not begin as its name says (a page
// that asks to log in), for a damaged head, and for tensors that lie beyond the end of the file: the rest did not come. What
// this version cannot read, a later one may. `name` begins the message.
Result<void> check_weights(const std::filesystem::path& file, const std::string& name);

}  // namespace quern::store
