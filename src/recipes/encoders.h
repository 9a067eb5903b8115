// Encoders that learn.
#pragma once

#include <string>

#include "model/encoder.h"
#include "model/load.h"

namespace quern::recipes {

// One to go on with, with this head: masters in f32. New parts are told. Errors of load_encoder.
Result<model::Encoder> open_encoder(const std::string& path, const model::NewHead& head, DType compute_dtype);

}  // namespace quern::recipes
