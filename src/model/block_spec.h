// The blocks that a config asks for, of decoders and encoders.
#pragma once

#include <optional>

#include "model/config.h"
#include "nn/relative_positions.h"

namespace quern::model {

// Precondition of all: the config is resolved.
nn::NormSpec norm_spec(const ModelConfig& config);
nn::BlockSpec block_spec(const ModelConfig& config, int64_t layer);

// The table of relative positions that a model has, if any: an encoder's looks both ways.
std::optional<nn::RelativePositions> relative_positions(const ModelConfig& config);

// Rows of the table of learned positions, from positions that count from 0.
Tensor position_rows(const ModelConfig& config, const Tensor& positions);

// conflict when the model is of another kind, with the commands that are for that.
Result<void> check_kind(const ModelConfig& config, Kind wanted);
// The same for decoders with a language head: reward models have none.
Result<void> check_writes(const ModelConfig& config);

}  // namespace quern::model
