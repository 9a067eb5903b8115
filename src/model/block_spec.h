// The blocks that a config asks for, of decoders and encoders.
#pragma once

#include "model/config.h"

namespace quern::model {

// Precondition of all: the config is resolved.
nn::NormSpec norm_spec(const ModelConfig& config);
nn::BlockSpec block_spec(const ModelConfig& config, int64_t layer);

// Rows of the table of learned positions, from positions that count from 0.
Tensor position_rows(const ModelConfig& config, const Tensor& positions);

// conflict when the model is of another kind, with the commands that are for that.
Result<void> check_kind(const ModelConfig& config, Kind wanted);

}  // namespace quern::model
