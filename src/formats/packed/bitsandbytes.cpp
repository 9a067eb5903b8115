#include "formats/packed/bitsandbytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/json.h"
#include "base/threads.h"
#include "tensor/block_codebooks.h"
#include "tensor/block_formats.h"

namespace quern::formats {

namespace {

constexpr int64_t kMaxBlock = int64_t{1} << 20;

Error misfit_4bit(std::string_view name, std::string_view part, std::string_view expected,
                  const Tensor& got) {
  return make_error(ErrorCode::corrupt,
                    fmt::format("{}.{}: expected {}, got {}", name, part, expected, got.describe()));
}

// What quant_state says.
struct FourBitState {
  Shape shape;
  DType dtype = DType::f32;
  int64_t block = 0;
  int64_t nested_block = 0;  // 0: scales are as they are
  float nested_offset = 0.0f;

  int64_t blocks() const { return (shape.numel() + block - 1) / block; }
  int64_t nested_blocks() const { return (blocks() + nested_block - 1) / nested_block; }
};

Result<int64_t> block_size(const nlohmann::json& json, const char* key, const std::string& source) {
  QUERN_TRY(const int64_t size, json_get<int64_t>(json, key, source));
  if (size >= 1 && size <= kMaxBlock) return size;
  return make_error(ErrorCode::corrupt,
                    fmt::format("{}: {}: expected 1 to {}, got {}", source, key, kMaxBlock, size));
}

// `bytes` bounds the elements: each takes half a byte.
Result<Shape> shape_in(const nlohmann::json& json, int64_t bytes, const std::string& source) {
  QUERN_TRY(const std::vector<int64_t> extents, json_get<std::vector<int64_t>>(json, "shape", source));
  int64_t elements = extents.size() == 2 ? 1 : 0;
  for (const int64_t extent : extents) {
    elements = extent >= 1 && elements >= 1 && extent <= 2 * bytes / elements ? elements * extent : 0;
  }
  if (elements == 0 || (elements + 1) / 2 != bytes) {
    return make_error(ErrorCode::corrupt,
                      fmt::format("{}: shape: expected a matrix of {} bytes of 2 elements, got {}", source,
                                  bytes, json_excerpt(json["shape"])));
  }
  return Shape(extents);
}

Result<FourBitState> read_state(std::string_view name, const FourBitTensors& parts) {
  const std::string source = fmt::format("{}.quant_state", name);
  if (parts.quant_state.dtype() != DType::u8)
    return misfit_4bit(name, "quant_state", "bytes of JSON", parts.quant_state);
  const auto bytes = parts.quant_state.span<uint8_t>();
  QUERN_TRY(const nlohmann::json json,
            parse_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, source));
  FourBitState state;
  QUERN_TRY(state.block, block_size(json, "blocksize", source));
  QUERN_TRY(state.shape, shape_in(json, parts.weight.bytes(), source));
  QUERN_TRY(const std::string dtype, json_get<std::string>(json, "dtype", source));
  for (const auto& [known, value] : {std::pair{"float32", DType::f32},
                                     {"bfloat16", DType::bf16},
                                     {"float16", DType::f16},
                                     {"", DType::f32}}) {
    if (!*known) {
      return make_error(
          ErrorCode::corrupt,
          fmt::format("{}: dtype: expected float32 | bfloat16 | float16, got {}", source, dtype));
    }
    state.dtype = value;
    if (dtype == known) break;
  }
  if (!parts.nested_absmax) return state;
  QUERN_TRY(state.nested_block, block_size(json, "nested_blocksize", source));
  QUERN_TRY(const double offset, json_get<double>(json, "nested_offset", source));
  state.nested_offset = static_cast<float>(offset);
  return state;
}

Result<void> expect_numbers(std::string_view name, std::string_view part, const Tensor& tensor, DType dtype,
                            int64_t count) {
  if (tensor.dtype() == dtype && tensor.numel() == count) return {};
  return misfit_4bit(name, part, fmt::format("{}[{}]", name_of(dtype), count), tensor);
}

// The scale of every block, over the memory of `parts`.
BlockScales scales_of(const FourBitTensors& parts, const FourBitState& state) {
  BlockScales scales{.dtype = state.dtype};
  if (!parts.nested_absmax) {
    scales.absmax = parts.absmax.data<float>();
    return scales;
  }
  scales.codes = parts.absmax.data<uint8_t>();
  scales.levels = parts.nested_quant_map->data<float>();
  scales.groups = parts.nested_absmax->data<float>();
  scales.per_group = state.nested_block;
  scales.offset = state.nested_offset;
  return scales;
}

// Whether the dtype NF4 holds it.
bool is_nf4(const FourBitTensors& parts, const FourBitState& state) {
  return state.shape[1] % BlockNF4::kElements == 0 && state.block % BlockNF4::kElements == 0 &&
         std::ranges::equal(parts.quant_map.span<float>(), kNf4Levels);
}

// The bytes as they are, with their scales.
Tensor kept_four_bit(const FourBitTensors& parts, const FourBitState& state) {
  struct Kept : BlockScales {
    FourBitTensors parts;  // whose memory the scales view
  };
  const auto kept = std::make_shared<Kept>();
  static_cast<BlockScales&>(*kept) = scales_of(parts, state);
  kept->blocks_per_scale = state.block / BlockNF4::kElements;
  kept->parts = parts;
  return Tensor::of_blocks(parts.weight, state.shape, DType::nf4, kept);
}

template <class T>
void decode_four_bit(const FourBitTensors& parts, const FourBitState& state, Tensor& result) {
  const BlockScales scales = scales_of(parts, state);
  const auto* bytes = static_cast<const uint8_t*>(parts.weight.raw());
  const float* levels = parts.quant_map.data<float>();
  T* values = result.data<T>();
  parallel_for(result.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int code = i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 15;
      values[i] = static_cast<T>(levels[code] * scales.of(i / state.block));
    }
  });
}

void decode_rows(const Tensor& weight, const Tensor& scb, BlockQ8_0* blocks) {
  const int64_t in = weight.dim(1), per_row = in / BlockQ8_0::kElements;
  parallel_for(weight.dim(0), 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * per_row; i < end * per_row; ++i) {
      blocks[i].d = float16(scb.data<float>()[i / per_row] / 127.0f);
      std::memcpy(blocks[i].qs, weight.data<int8_t>() + i * BlockQ8_0::kElements, BlockQ8_0::kElements);
    }
  });
}

void decode_rows(const Tensor& weight, const Tensor& scb, float16* values) {
  const int64_t in = weight.dim(1);
  for (int64_t i = 0; i < weight.numel(); ++i) {
    values[i] = float16(static_cast<float>(weight.data<int8_t>()[i]) * (scb.data<float>()[i / in] / 127.0f));
  }
}

}  // namespace

Result<PackedWeight> four_bit_weight(std::string_view name, const FourBitTensors& parts) {
  QUERN_TRY(FourBitState state, read_state(name, parts));
  QUERN_CHECK(expect_numbers(name, "quant_map", parts.quant_map, DType::f32, 16));
  const bool nested = parts.nested_absmax.has_value();
  QUERN_CHECK(expect_numbers(name, "absmax", parts.absmax, nested ? DType::u8 : DType::f32, state.blocks()));
  if (nested) {
    QUERN_CHECK(
        expect_numbers(name, "nested_absmax", *parts.nested_absmax, DType::f32, state.nested_blocks()));
    QUERN_CHECK(expect_numbers(name, "nested_quant_map", *parts.nested_quant_map, DType::f32, 256));
  }
  if (is_nf4(parts, state)) {
    return PackedWeight{state.shape, DType::nf4,
                        [parts, state]() -> Result<Tensor> { return kept_four_bit(parts, state); },
                        parts.absmax.bytes() + (nested ? parts.nested_absmax->bytes() : 0)};
  }
  return PackedWeight{state.shape, state.dtype, [parts, state]() -> Result<Tensor> {
                        Tensor result(state.shape, state.dtype);
                        visit_float(state.dtype,
                                    [&]<class T>() { decode_four_bit<T>(parts, state, result); });
                        return result;
                      }};
}

std::vector<NamedTensor> four_bit_tensors(const std::string& name, const Tensor& weight) {
  const BlockScales scales = weight.scales();
  const int64_t blocks = weight.numel() / BlockNF4::kElements,
                groups = (blocks + scales.per_group - 1) / scales.per_group;
  const auto floats = [](const float* values, int64_t count) {
    return Tensor::from(std::span(values, static_cast<size_t>(count)), {count});
  };
  const auto bytes = [](const void* values, int64_t count, Shape shape) {
    return Tensor::from(std::span(static_cast<const uint8_t*>(values), static_cast<size_t>(count)), shape);
  };
  const char* dtype = scales.dtype == DType::bf16  ? "bfloat16"
                      : scales.dtype == DType::f16 ? "float16"
                                                   : "float32";
  const nlohmann::ordered_json state = {{"quant_type", "nf4"},
                                        {"blocksize", BlockNF4::kElements},
                                        {"dtype", dtype},
                                        {"shape", {weight.dim(0), weight.dim(1)}},
                                        {"nested_blocksize", scales.per_group},
                                        {"nested_dtype", "float32"},
                                        {"nested_offset", scales.offset}};
  const std::string text = state.dump();
  const auto length = static_cast<int64_t>(text.size());
  return {{name, bytes(weight.raw(), weight.bytes(), {weight.bytes(), 1})},
          {name + ".absmax", bytes(scales.codes, blocks, {blocks})},
          {name + ".nested_absmax", floats(scales.groups, groups)},
          {name + ".nested_quant_map", floats(scales.levels, 256)},
          {name + ".quant_map", floats(kNf4Levels, 16)},
          {name + ".quant_state.bitsandbytes__nf4", bytes(text.data(), length, {length})}};
}

Result<PackedWeight> eight_bit_weight(std::string_view name, const Tensor& weight, const Tensor& scb) {
  if (weight.dtype() != DType::i8 || weight.shape().rank() != 2 || weight.numel() == 0)
    return misfit_4bit(name, "weight", "a matrix of i8", weight);
  QUERN_CHECK(expect_numbers(name, "SCB", scb, DType::f32, weight.dim(0)));
  const bool blocks = weight.dim(1) % BlockQ8_0::kElements == 0;
  const DType dtype = blocks ? DType::q8_0 : DType::f16;
  return PackedWeight{weight.shape(), dtype, [weight, scb, dtype]() -> Result<Tensor> {
                        Tensor result(weight.shape(), dtype);
                        if (dtype == DType::q8_0)
                          decode_rows(weight, scb, static_cast<BlockQ8_0*>(result.raw()));
                        else
                          decode_rows(weight, scb, result.data<float16>());
                        return result;
                      }};
}

}  // namespace quern::formats
