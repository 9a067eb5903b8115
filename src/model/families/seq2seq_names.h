// What families of encoder-decoders share.
#pragma once

#include "model/families/tensor_names.h"

namespace quern::model {

// How files name the parts of one half.
struct HalfNames {
  std::string_view blocks;  // before the number of a block
  std::vector<ModuleName> rows;
};

// Every tensor of an encoder-decoder of `config`, from the names of its halves; the shared table of embeddings is named
// by the encoder.
std::vector<TensorName> seq2seq_names(const ModelConfig& config, const HalfNames& encoder,
                                      const HalfNames& decoder);

}  // namespace quern::model
