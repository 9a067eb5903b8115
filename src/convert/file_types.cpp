#include "convert/file_types.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <vector>

#include "base/nearest.h"
#include "model/gguf_config.h"
#include "quant/quantize.h"

namespace quern::convert {

namespace {

constexpr std::array<FileType, 20> kTypes{
    {{"f32", 0, DType::f32},      {"f16", 1, DType::f16},        {"bf16", 32, DType::bf16},
     {"q8_0", 7, DType::q8_0},    {"q6_k", 18, DType::q6_k},     {"q5_k_m", 17, DType::q5_k},
     {"q5_k_s", 16, DType::q5_k}, {"q5_1", 9, DType::q5_1},      {"q5_0", 8, DType::q5_0},
     {"q4_k_m", 15, DType::q4_k}, {"q4_k_s", 14, DType::q4_k},   {"q4_1", 3, DType::q4_1},
     {"q4_0", 2, DType::q4_0},    {"iq4_nl", 25, DType::iq4_nl}, {"iq4_xs", 30, DType::iq4_xs},
     {"mxfp4", 38, DType::mxfp4}, {"q3_k_l", 13, DType::q3_k},   {"q3_k_m", 12, DType::q3_k},
     {"q3_k_s", 11, DType::q3_k}, {"q2_k", 10, DType::q2_k}}};

// The number of "blk.7.ffn_down.weight"; 0 outside blocks.
int64_t layer_of(std::string_view name) {
  int64_t layer = 0;
  if (name.starts_with("blk.")) std::from_chars(name.data() + 4, name.data() + name.size(), layer);
  return layer;
}

// The first and the last eighth of the layers, and every third between.
bool is_sensitive(int64_t layer, int64_t layers) {
  const int64_t eighth = layers / 8;
  return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
}

// Mixtral's number, whose attention is small beside its experts.
constexpr int64_t kEightExperts = 8;

bool is_falcon(const ModelFacts& facts) { return facts.architecture == "falcon"; }

// Values, also where they are joined with queries and keys: small matrices whose errors reach everything.
DType values_type(std::string_view type, DType base, int64_t layer, const ModelFacts& facts) {
  const bool shared = facts.queries_per_key >= 4;
  if (facts.experts == kEightExperts) return DType::q8_0;
  if (type == "q2_k") return shared ? DType::q4_k : DType::q3_k;
  if (type == "q3_k_m") return layer < 2 ? DType::q5_k : DType::q4_k;
  if (type == "q3_k_l") return DType::q5_k;
  if ((type == "iq4_nl" || type == "iq4_xs") && shared) return DType::q5_k;
  if ((type == "q4_k_m" || type == "q5_k_m") && is_sensitive(layer, facts.layers)) return DType::q6_k;
  if (type == "q4_k_s" && layer < 4) return DType::q5_k;
  return base;
}

DType down_type(std::string_view type, DType base, int64_t layer, const ModelFacts& facts) {
  const bool first = layer < facts.layers / 8, sensitive = is_sensitive(layer, facts.layers);
  if (is_falcon(facts)) {
    const bool earliest = layer < facts.layers / 16;
    if (type == "q3_k_m") return earliest ? DType::q5_k : sensitive ? DType::q4_k : DType::q3_k;
    if (type == "q3_k_l") return DType::q4_k;
    if (type == "q4_k_m") return earliest ? DType::q6_k : sensitive ? DType::q5_k : DType::q4_k;
    if (type == "q4_k_s") return base;
  }
  if (type == "q2_k") return DType::q3_k;
  if (type == "q3_k_m") return layer < facts.layers / 16 ? DType::q5_k : DType::q4_k;
  if (type == "q3_k_l") return DType::q5_k;
  if ((type == "q4_k_m" || type == "q5_k_m") && sensitive) return DType::q6_k;
  if (!first) return base;
  if (type == "q4_k_s") return DType::q5_k;
  if ((type == "iq4_nl" || type == "iq4_xs") && !facts.importance) return DType::q5_k;
  if (type == "q4_0" && facts.importance) return DType::q4_1;
  if (type == "q5_0" && facts.importance) return DType::q5_1;
  return base;
}

DType attention_output_type(std::string_view type, DType base, const ModelFacts& facts) {
  if (is_falcon(facts)) return type == "q3_k_l" ? DType::q4_k : base;
  if (facts.experts == kEightExperts) {
    constexpr std::array<std::string_view, 7> kRaised{"q2_k",   "q3_k_s", "q3_k_m", "q4_k_s",
                                                      "q4_k_m", "iq4_nl", "iq4_xs"};
    return std::ranges::find(kRaised, type) != kRaised.end() ? DType::q5_k : base;
  }
  if (type == "q2_k") return DType::q3_k;
  if (type == "q3_k_m") return DType::q4_k;
  if (type == "q3_k_l") return DType::q5_k;
  return base;
}

DType output_type(std::string_view type, DType base, int64_t columns, const ModelFacts& facts) {
  const bool whole = columns % block_elements(base) == 0;
  if (type == "mxfp4" || base == DType::q8_0 || is_falcon(facts) || !whole) return DType::q8_0;
  return DType::q6_k;
}

// invalid_argument for the name of a type that is not among the `known` ones, which can be written.
Error no_type(std::string_view name, std::span<const std::string> known) {
  const std::string list = fmt::format("types that can be written: {}", fmt::join(known, ", "));
  const std::optional<DType> type = dtype_from_name(name);
  if (type && is_block(*type)) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the type '{}' can be read, but not written", name), list);
  }
  const std::string meant = suggestion(name, known);
  return make_error(ErrorCode::invalid_argument, fmt::format("there is no type '{}'", name),
                    meant.empty() ? list : fmt::format("{} {}", meant, list));
}

}  // namespace

std::span<const FileType> file_types() { return kTypes; }

Result<const FileType*> find_file_type(std::string_view name) {
  std::string wanted(name);
  std::ranges::transform(wanted, wanted.begin(), [](unsigned char letter) { return std::tolower(letter); });
  std::vector<std::string> known;
  for (const FileType& type : kTypes) {
    if (type.name == wanted || type.name == wanted + "_m") return &type;
    known.emplace_back(type.name);
  }
  return no_type(name, known);
}

Result<DType> find_tensor_type(std::string_view name) {
  const std::optional<DType> type = dtype_from_name(name);
  if (type && quant::can_quantize(*type)) return *type;
  std::vector<std::string> known;
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto candidate = static_cast<DType>(i);
    if (quant::can_quantize(candidate)) known.emplace_back(name_of(candidate));
  }
  return no_type(name, known);
}

DType type_in_file(const FileType& type, std::string_view name, const Shape& shape, DType current,
                   const ModelFacts& facts) {
  const auto is = [&](std::string_view module) { return name.find(module) != name.npos; };
  const bool weight = name.ends_with(".weight") && shape.rank() >= 2 && shape.numel() > shape.cols();
  if (!weight || is("_norm.weight") || model::gguf_keeps_wide(name)) return current;
  if (!is_block(type.base)) return type.base;
  const int64_t layer = layer_of(name);
  DType wanted = type.base;
  if (name == "output.weight" || (facts.tied && name == "token_embd.weight")) {
    wanted = output_type(type.name, type.base, shape.cols(), facts);
  } else if (type.name == "mxfp4" && facts.experts > 0) {
    const bool expert = shape.rank() > 2 || is("_exps.");
    wanted = expert ? DType::mxfp4 : DType::q8_0;
  } else if (is("attn_v.") || is("attn_qkv.")) {
    wanted = values_type(type.name, type.base, layer, facts);
  } else if (is("attn_k.") && facts.experts == kEightExperts) {
    wanted = DType::q8_0;
  } else if (is("ffn_down")) {
    wanted = down_type(type.name, type.base, layer, facts);
  } else if (is("attn_output.")) {
    wanted = attention_output_type(type.name, type.base, facts);
  }
  return wanted;
}

DType fitting(DType wanted, int64_t columns) {
  if (columns % block_elements(wanted) == 0) return wanted;
  DType smaller = wanted;
  if (wanted == DType::iq4_xs) smaller = DType::iq4_nl;
  if (wanted == DType::q2_k || wanted == DType::q3_k) smaller = DType::q4_0;
  if (wanted == DType::q4_k) smaller = DType::q5_0;
  if (wanted == DType::q5_k) smaller = DType::q5_1;
  if (wanted == DType::q6_k) smaller = DType::q8_0;
  return columns % block_elements(smaller) == 0 ? smaller : DType::f16;
}

}  // namespace quern::convert
