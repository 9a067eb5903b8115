// What makes logits of a decoder's states, for losses that Decoder::loss is not.
#pragma once

#include "model/decoder.h"
#include "ops/output_head.h"

namespace quern::model {

// Its weight and bias take gradients as those of the model do. Precondition: the model has a language head.
ops::OutputHead output_head(const Decoder& model);

}  // namespace quern::model
