// Pretraining of encoders from text: words are hidden, and the model learns to tell them (task mlm).
#pragma once

#include "encoding/masked_words.h"
#include "recipes/pretrain.h"

namespace quern::recipes {

// The `mlm:` section.
struct MaskedConfig {
  enum class Objective { words, replaced };
  Objective objective = Objective::words;
  encoding::MaskOptions options;
  // Of replaced tokens; see recipes/replaced.h.
  std::string generator;
  double generator_size = 0.25;
  bool shared_embeddings = true;
  double discriminator_weight = 50.0;

  void fields(Fields& f);
  // Completes the settings once all are loaded, below "mlm.".
  Result<void> finish(const Fields& loaded);
};

// Trains an encoder on the texts of `config`, new or to go on with, and leaves what pretrain() does. Its texts are documents,
// cut at train.sequence tokens. `config` must be finished. Errors as pretrain(); conflict for a model that is no encoder.
Result<train::TrainSummary> pretrain_masked(const PretrainConfig& config, MaskedConfig masks,
                                            const TrainHow& how);

}  // namespace quern::recipes
