// The options of commands that can guess tokens ahead (docs/handbook/speculation.md).
#pragma once

#include <string>

#include "base/result.h"
#include "cli/command_line.h"
#include "engine/proposer.h"
#include "tensor/dtype.h"

namespace quern::cli {

class SpeculationFlags {
 public:
  // --speculate, --draft and --draft-tokens.
  void define(CLI::App& app);
  bool any() const { return kind_ != "none" || !draft_.empty(); }
  // Opens the draft model, with activations of this dtype, where one is named. Errors of Store::resolve and open_model;
  // invalid_argument where both ways to guess are asked for.
  Result<engine::SpeculationOptions> open(DType dtype, bool pack) const;

 private:
  std::string kind_ = "none";
  std::string draft_;
  int64_t most_ = engine::SpeculationOptions().most;
};

}  // namespace quern::cli
