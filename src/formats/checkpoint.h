// The weights of a Hugging Face folder as a model sees them: those that a quantiser packed (GPTQ, AWQ, bitsandbytes) stand
// under the names of the weights they replace, and are unpacked when they are asked for, but for NF4, a dtype of its own.
#pragma once

#include <map>
#include <optional>

#include "formats/packed/packed_weight.h"
#include "formats/packed/quantization_config.h"
#include "formats/safetensors.h"

namespace quern::formats {

// Immutable; thread-safe.
class Checkpoint {
 public:
  // Errors of ModelFolder::weights, TensorArchive::open and read_quantization_config; corrupt where the parts of a weight
  // do not fit together.
  static Result<Checkpoint> open(const ModelFolder& folder);

  // Sorted by name. Of an unpacked weight, dtype and shape are those in memory, and so are its bytes.
  const std::vector<TensorEntry>& entries() const { return entries_; }
  // Null when there is none.
  const TensorEntry* find(std::string_view name) const;
  // As TensorArchive::tensor; a packed weight is unpacked into memory of its own.
  Result<Tensor> tensor(std::string_view name) const;
  const std::filesystem::path& path() const { return archive_.path(); }
  // Nothing where weights are as they are.
  const std::optional<QuantizationConfig>& quantization() const { return quantization_; }
  // Whether a quantiser packed it: then it is [out, in], also where the family transposes its weights.
  bool is_packed(std::string_view name) const { return packed_.contains(name); }
  // A bias of zeros beside a packed weight: some tools write one for every weight.
  bool is_idle_bias(std::string_view name) const;

 private:
  Checkpoint(TensorArchive archive, std::optional<QuantizationConfig> quantization)
      : archive_(std::move(archive)), quantization_(std::move(quantization)) {}
  Result<void> unpack();
  Result<PackedWeight> integer_weight(const std::string& module);
  Result<PackedWeight> four_bit(const std::string& name, const TensorEntry& state);
  Result<PackedWeight> eight_bit(const std::string& module);

  TensorArchive archive_;
  std::optional<QuantizationConfig> quantization_;
  std::vector<TensorEntry> entries_;
  std::map<std::string, PackedWeight, std::less<>> packed_;
};

}  // namespace quern::formats
