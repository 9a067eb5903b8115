#include "formats/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "formats/packed/bitsandbytes.h"
#include "formats/packed/gptq.h"

namespace quern::formats {

namespace {

constexpr std::string_view kCodes = ".qweight";                     // GPTQ and AWQ
constexpr std::string_view kState = ".quant_state.bitsandbytes__";  // then "nf4" or "fp4"
constexpr std::string_view kRowScales = ".SCB";                     // LLM.int8

TensorEntry entry_of(std::string name, const PackedWeight& weight) {
  const auto extents = weight.shape.extents();
  return {.name = std::move(name),
          .dtype_name = name_of(weight.dtype),
          .dtype = weight.dtype,
          .shape = {extents.begin(), extents.end()},
          .end = static_cast<uint64_t>(bytes_of(weight.dtype, weight.shape.numel()) + weight.scale_bytes)};
}

std::string without(const std::string& name, std::string_view ending) {
  return name.substr(0, name.size() - ending.size());
}

}  // namespace

Result<Checkpoint> Checkpoint::open(const ModelFolder& folder) {
  QUERN_TRY(std::optional<QuantizationConfig> quantization, read_quantization_config(folder));
  QUERN_TRY(const std::filesystem::path weights, folder.weights());
  QUERN_TRY(TensorArchive archive, TensorArchive::open(weights));
  Checkpoint checkpoint(std::move(archive), std::move(quantization));
  if (Result<void> unpacked = checkpoint.unpack(); !unpacked.ok())
    return std::move(unpacked).error().within(weights.string());
  return checkpoint;
}

// Finds the packed weights and hides their parts.
Result<void> Checkpoint::unpack() {
  std::set<std::string, std::less<>> parts;
  const auto hide = [&](const std::string& stem, std::initializer_list<std::string_view> endings) {
    for (const std::string_view ending : endings) parts.insert(fmt::format("{}{}", stem, ending));
  };
  for (const TensorEntry& entry : archive_.entries()) {
    const size_t state = entry.name.rfind(kState);
    if (!quantization_) break;
    if (entry.name.ends_with(kCodes) && quantization_->quantizer != Quantizer::bitsandbytes) {
      const std::string module = without(entry.name, kCodes);
      QUERN_TRY(packed_[module + ".weight"], integer_weight(module));
      hide(module, {kCodes, ".qzeros", ".scales", ".g_idx"});
    } else if (state != entry.name.npos) {
      const std::string name = entry.name.substr(0, state);
      QUERN_TRY(packed_[name], four_bit(name, entry));
      hide(name,
           {"", ".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", entry.name.substr(state)});
    } else if (entry.name.ends_with(kRowScales)) {
      const std::string module = without(entry.name, kRowScales);
      QUERN_TRY(packed_[module + ".weight"], eight_bit(module));
      hide(module, {kRowScales, ".weight", ".weight_format"});
    }
  }
  for (const TensorEntry& entry : archive_.entries()) {
    if (!parts.contains(entry.name)) entries_.push_back(entry);
  }
  for (const auto& [name, weight] : packed_) {
    if (archive_.find(name) && !parts.contains(name))
      return make_error(ErrorCode::corrupt, fmt::format("{} is there both packed and as it is", name));
    entries_.push_back(entry_of(name, weight));
  }
  std::ranges::sort(entries_, {}, &TensorEntry::name);
  return {};
}

Result<PackedWeight> Checkpoint::integer_weight(const std::string& module) {
  IntegerTensors parts;
  for (const auto& [part, tensor] :
       {std::pair{".qweight", &parts.qweight}, {".qzeros", &parts.qzeros}, {".scales", &parts.scales}}) {
    QUERN_TRY(*tensor, archive_.tensor(module + part));
  }
  if (quantization_->quantizer == Quantizer::awq) return awq_weight(module, parts, *quantization_);
  if (archive_.find(module + ".g_idx")) {
    QUERN_TRY(parts.g_idx, archive_.tensor(module + ".g_idx"));
  }
  return gptq_weight(module, parts, *quantization_);
}

Result<PackedWeight> Checkpoint::four_bit(const std::string& name, const TensorEntry& state) {
  FourBitTensors parts;
  QUERN_TRY(parts.weight, archive_.tensor(name));
  QUERN_TRY(parts.absmax, archive_.tensor(name + ".absmax"));
  QUERN_TRY(parts.quant_map, archive_.tensor(name + ".quant_map"));
  QUERN_TRY(parts.quant_state, archive_.tensor(state.name));
  if (archive_.find(name + ".nested_absmax")) {
    QUERN_TRY(parts.nested_absmax, archive_.tensor(name + ".nested_absmax"));
    QUERN_TRY(parts.nested_quant_map, archive_.tensor(name + ".nested_quant_map"));
  }
  return four_bit_weight(name, parts);
}

Result<PackedWeight> Checkpoint::eight_bit(const std::string& module) {
  QUERN_TRY(const Tensor weight, archive_.tensor(module + ".weight"));
  QUERN_TRY(const Tensor scales, archive_.tensor(module + ".SCB"));
  return eight_bit_weight(module, weight, scales);
}

const TensorEntry* Checkpoint::find(std::string_view name) const {
  const auto at = std::ranges::lower_bound(entries_, name, {}, &TensorEntry::name);
  return at != entries_.end() && at->name == name ? &*at : nullptr;
}

Result<Tensor> Checkpoint::tensor(std::string_view name) const {
  const auto packed = packed_.find(name);
  return packed == packed_.end() ? archive_.tensor(name) : packed->second.tensor();
}

bool Checkpoint::is_idle_bias(std::string_view name) const {
  constexpr std::string_view kBias = ".bias";
  if (!name.ends_with(kBias)) return false;
  if (!packed_.contains(without(std::string(name), kBias) + ".weight")) return false;
  const Result<Tensor> bias = archive_.tensor(name);
  if (!bias.ok() || !is_float(bias->dtype())) return false;
  const Tensor wide = bias->to(DType::f32);
  return std::ranges::all_of(wide.span<float>(), [](float value) { return value == 0.0f; });
}

}  // namespace quern::formats
