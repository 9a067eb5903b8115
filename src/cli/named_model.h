// A model named on the command line, for commands that measure it rather than talk to it (see model_options.h).
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "cli/command_line.h"
#include "infer/loaded_model.h"
#include "tensor/dtype.h"

namespace quern::cli {

struct NamedModel {
  std::string name;          // a path, or a name in the store
  DType dtype = DType::f32;  // of activations
  bool no_pack = false;      // see model::LoadOptions::pack

  // MODEL, --dtype and --no-pack.
  void define(CommandLine& line);
  Result<infer::LoadedModel> open() const;
};

}  // namespace quern::cli
