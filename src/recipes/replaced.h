// Pretraining of encoders from text by tokens that a generator replaced (task mlm, mlm.objective: replaced).
#pragma once

#include "recipes/masked.h"

namespace quern::recipes {

// Trains a discriminator, new or to go on with, and a generator beside it; leaves the first in OUT/model, the second in
// OUT/model/generator, and what pretrain() does. Both configs must be finished. Errors as pretrain_masked(); unsupported for
// families without a discriminator, conflict for a generator that does not fit.
Result<train::TrainSummary> pretrain_replaced(const PretrainConfig& config, MaskedConfig masks,
                                              const TrainHow& how);

}  // namespace quern::recipes
