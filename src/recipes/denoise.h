// Pretraining of encoder-decoders from text: texts are corrupted, and the model learns to write them again (task denoise).
#pragma once

#include "encoding/denoised_texts.h"
#include "recipes/pretrain.h"

namespace quern::recipes {

// The `denoise:` section.
struct DenoiseConfig {
  enum class Form { automatic, spans, infilling };
  Form form = Form::automatic;
  double share = 0.0;
  double mean_span = 3.0;
  bool shuffle = true;

  void fields(Fields& f);
  // For a model of `family`: BART's are infilled, all others' spans have sentinels.
  encoding::DenoiseOptions options(std::string_view family, uint64_t seed) const;
};

// Trains an encoder-decoder on the texts of `config`, new or to go on with, and leaves what pretrain() does. Documents are cut
// where sources would be longer than train.sequence tokens. `config` must be finished. Errors as pretrain(); conflict for a
// model of another kind, not_found for a tokenizer without sentinels or a mask.
Result<train::TrainSummary> pretrain_denoising(PretrainConfig config, DenoiseConfig noise,
                                               const TrainHow& how);

}  // namespace quern::recipes
