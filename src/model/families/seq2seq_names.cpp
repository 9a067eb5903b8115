#include "model/families/seq2seq_names.h"

#include "model/encoder_decoder.h"

namespace quern::model {

namespace {

void add_half(std::vector<TensorName>& names, const std::string& half, const ModelConfig& config,
              const HalfNames& in_files) {
  for (TensorName name : tensor_names(config, in_files.blocks, in_files.rows)) {
    if (half == "decoder." && name.parameters.front() == "embedding.weight") continue;
    for (std::string& parameter : name.parameters) parameter = half + parameter;
    names.push_back(std::move(name));
  }
}

}  // namespace

std::vector<TensorName> seq2seq_names(const ModelConfig& config, const HalfNames& encoder,
                                      const HalfNames& decoder) {
  const ModelConfig resolved = config.resolved();
  std::vector<TensorName> names;
  add_half(names, "encoder.", encoder_part(resolved), encoder);
  add_half(names, "decoder.", decoder_part(resolved), decoder);
  return names;
}

}  // namespace quern::model
