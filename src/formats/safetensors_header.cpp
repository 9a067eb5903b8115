#include "formats/safetensors_header.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <unordered_set>

#include "base/json.h"

namespace quern::formats {

namespace {

namespace dom = simdjson::dom;
using simdjson::error_code;

constexpr std::string_view kMetadataKey = "__metadata__";

struct DTypeRow {
  std::string_view name;
  int bits;
  std::optional<DType> dtype;
};

// In the order of the reference implementation, which sorts by it.
constexpr DTypeRow kDTypes[] = {
    {"BOOL", 8, DType::boolean},
    {"F4", 4, {}},
    {"F6_E2M3", 6, {}},
    {"F6_E3M2", 6, {}},
    {"U8", 8, DType::u8},
    {"I8", 8, DType::i8},
    {"F8_E5M2", 8, {}},
    {"F8_E4M3", 8, {}},
    {"F8_E8M0", 8, {}},
    {"F8_E4M3FNUZ", 8, {}},
    {"F8_E5M2FNUZ", 8, {}},
    {"I16", 16, {}},
    {"U16", 16, DType::u16},
    {"F16", 16, DType::f16},
    {"BF16", 16, DType::bf16},
    {"I32", 32, DType::i32},
    {"U32", 32, {}},
    {"F32", 32, DType::f32},
    {"C64", 64, {}},
    {"F64", 64, DType::f64},
    {"I64", 64, DType::i64},
    {"U64", 64, {}},
};

const DTypeRow& row_of(DType dtype) {
  return *std::find_if(std::begin(kDTypes), std::end(kDTypes),
                       [&](const DTypeRow& row) { return row.dtype == dtype; });
}

template <class... Args>
Error corrupt_safetensors(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(ErrorCode::corrupt, "safetensors: " + fmt::format(format, std::forward<Args>(args)...),
                    "the file is damaged or was not written completely; fetch or write it again");
}

constexpr size_t kMaxRank = 64;  // far above any tensor in use; keeps messages about hostile shapes short

Result<uint64_t> parse_uint(dom::element value, std::string_view tensor, std::string_view field) {
  uint64_t number = 0;
  if (value.get(number) != simdjson::SUCCESS || number > INT64_MAX) {
    return corrupt_safetensors("{} of tensor {} holds {}, expected an integer from 0 to 2^63 - 1", field,
                               json_excerpt(tensor), std::string_view(simdjson::minify(value)).substr(0, 80));
  }
  return number;
}

Result<std::vector<int64_t>> parse_shape(dom::element value, std::string_view tensor) {
  dom::array extents;
  if (value.get(extents) != simdjson::SUCCESS)
    return corrupt_safetensors("shape of tensor {} is not an array", json_excerpt(tensor));
  if (extents.size() > kMaxRank) {
    return corrupt_safetensors("shape of tensor {} has {} dimensions, expected at most {}",
                               json_excerpt(tensor), extents.size(), kMaxRank);
  }
  std::vector<int64_t> shape;
  for (dom::element element : extents) {
    QUERN_TRY(const uint64_t extent, parse_uint(element, tensor, "shape"));
    shape.push_back(static_cast<int64_t>(extent));
  }
  return shape;
}

// Bytes of `shape` with elements of `bits`, or nothing when they are not a whole, representable number.
std::optional<uint64_t> byte_size(std::span<const int64_t> shape, int bits) {
  uint64_t total = static_cast<uint64_t>(bits);
  for (int64_t extent : shape) {
    if (__builtin_mul_overflow(total, static_cast<uint64_t>(extent), &total)) return std::nullopt;
  }
  return total % 8 == 0 ? std::optional(total / 8) : std::nullopt;
}

struct EntryFields {
  std::optional<dom::element> dtype, shape, data_offsets;
};

Result<EntryFields> parse_fields(dom::element value, std::string_view tensor) {
  dom::object object;
  if (value.get(object) != simdjson::SUCCESS) {
    return corrupt_safetensors("entry of tensor {} is not an object", json_excerpt(tensor));
  }
  EntryFields fields;
  for (auto [key, field] : object) {
    auto* slot = key == "dtype"          ? &fields.dtype
                 : key == "shape"        ? &fields.shape
                 : key == "data_offsets" ? &fields.data_offsets
                                         : nullptr;
    if (slot == nullptr || slot->has_value()) {
      return corrupt_safetensors("entry of tensor {} has a repeated or unknown key {}", json_excerpt(tensor),
                                 json_excerpt(key));
    }
    *slot = field;
  }
  for (const auto& [key, field] : {std::pair("dtype", &fields.dtype),
                                   {"shape", &fields.shape},
                                   {"data_offsets", &fields.data_offsets}}) {
    if (!field->has_value())
      return corrupt_safetensors("entry of tensor {} lacks {}", json_excerpt(tensor), key);
  }
  return fields;
}

Result<const DTypeRow*> parse_dtype(dom::element value, std::string_view tensor) {
  std::string_view name;
  if (value.get(name) != simdjson::SUCCESS)
    return corrupt_safetensors("dtype of tensor {} is not a string", json_excerpt(tensor));
  for (const DTypeRow& row : kDTypes) {
    if (row.name == name) return &row;
  }
  return corrupt_safetensors("dtype of tensor {} is {}, which the format does not have", json_excerpt(tensor),
                             json_excerpt(name));
}

// The offsets stay relative to the data here.
Result<TensorEntry> parse_entry(std::string_view name, dom::element value, uint64_t data_size) {
  QUERN_TRY(const EntryFields fields, parse_fields(value, name));
  QUERN_TRY(const DTypeRow* row, parse_dtype(*fields.dtype, name));
  TensorEntry entry;
  entry.name = name;
  entry.dtype_name = row->dtype ? name_of(*row->dtype) : row->name;
  entry.dtype = row->dtype;
  QUERN_TRY(entry.shape, parse_shape(*fields.shape, name));
  dom::array offsets;
  if (fields.data_offsets->get(offsets) != simdjson::SUCCESS || offsets.size() != 2) {
    return corrupt_safetensors("data_offsets of tensor {} are not [begin, end]", json_excerpt(name));
  }
  QUERN_TRY(entry.begin, parse_uint(offsets.at(0).value_unsafe(), name, "data_offsets"));
  QUERN_TRY(entry.end, parse_uint(offsets.at(1).value_unsafe(), name, "data_offsets"));
  if (entry.begin > entry.end || entry.end > data_size) {
    return corrupt_safetensors(
        "data_offsets of tensor {} are [{}, {}), expected to lie within the {} bytes of data",
        json_excerpt(name), entry.begin, entry.end, data_size);
  }
  if (const auto expected = byte_size(entry.shape, row->bits); expected != entry.bytes()) {
    return corrupt_safetensors(
        "tensor {} is {}, which takes {} bytes, but its data_offsets hold {}", json_excerpt(name),
        entry.describe(), expected ? std::to_string(*expected) : "an impossible number of", entry.bytes());
  }
  return entry;
}

Result<SafetensorsMetadata> parse_metadata(dom::element value) {
  dom::object fields;
  if (value.get(fields) != simdjson::SUCCESS) return corrupt_safetensors("{} is not an object", kMetadataKey);
  SafetensorsMetadata metadata;
  for (auto [key, field] : fields) {
    std::string_view text;
    if (field.get(text) != simdjson::SUCCESS)
      return corrupt_safetensors("{} of {} is not a string", json_excerpt(key), kMetadataKey);
    if (!metadata.emplace(key, text).second)
      return corrupt_safetensors("{} repeats {}", kMetadataKey, json_excerpt(key));
  }
  return metadata;
}

// The entries, in order of their offsets, must tile [0, data_size).
Result<void> check_cover(std::vector<TensorEntry>& entries, uint64_t data_size) {
  std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t reached = 0;
  for (const TensorEntry& entry : entries) {
    if (entry.begin != reached) {
      return corrupt_safetensors("data_offsets of tensor {} begin at {}, expected {}: the data has {}",
                                 json_excerpt(entry.name), entry.begin, reached,
                                 entry.begin > reached ? "a hole" : "an overlap");
    }
    reached = entry.end;
  }
  if (reached != data_size) {
    return corrupt_safetensors("the tensors end at byte {} of the data, expected {}, the end of the file",
                               reached, data_size);
  }
  return {};
}

Result<SafetensorsHeader> parse_json(std::string_view json, uint64_t data_size) {
  dom::parser parser;
  dom::element document;
  if (const error_code error = parser.parse(simdjson::padded_string(json)).get(document);
      error != simdjson::SUCCESS) {
    return corrupt_safetensors("the header is not valid JSON: {}", simdjson::error_message(error));
  }
  dom::object fields;
  if (document.get(fields) != simdjson::SUCCESS)
    return corrupt_safetensors("the header is not a JSON object");
  SafetensorsHeader header;
  std::unordered_set<std::string_view> seen;  // views into the parser's memory
  for (auto [key, value] : fields) {
    if (!seen.insert(key).second)
      return corrupt_safetensors("the header repeats the key {}", json_excerpt(key));
    if (key == kMetadataKey) {
      QUERN_TRY(header.metadata, parse_metadata(value));
    } else {
      QUERN_TRY(TensorEntry entry, parse_entry(key, value, data_size));
      header.entries.push_back(std::move(entry));
    }
  }
  QUERN_CHECK(check_cover(header.entries, data_size));
  return header;
}

}  // namespace

std::string TensorEntry::describe() const {
  return fmt::format("{}[{}]", dtype_name, fmt::join(shape, ", "));
}

Result<SafetensorsHeader> parse_safetensors(std::span<const std::byte> file) {
  uint64_t length = 0;
  if (file.size() < sizeof length)
    return corrupt_safetensors("the file has {} bytes, expected at least 8", file.size());
  std::memcpy(&length, file.data(), sizeof length);  // little-endian, as is every machine this builds for
  const uint64_t limit = std::min<uint64_t>(kMaxSafetensorsHeader, file.size() - sizeof length);
  if (length > limit) {
    return corrupt_safetensors("the header length is {}, expected at most {}{}", length, limit,
                               limit == kMaxSafetensorsHeader ? "" : ", the bytes that follow it");
  }
  const std::string_view json(reinterpret_cast<const char*>(file.data()) + sizeof length, length);
  if (!json.starts_with('{')) return corrupt_safetensors("the header does not begin with '{{'");
  const uint64_t data = sizeof length + length;
  QUERN_TRY(SafetensorsHeader header, parse_json(json, file.size() - data));
  for (TensorEntry& entry : header.entries) {
    entry.begin += data;
    entry.end += data;
  }
  std::sort(header.entries.begin(), header.entries.end(),
            [](const TensorEntry& a, const TensorEntry& b) { return a.name < b.name; });
  return header;
}

void sort_for_safetensors(std::vector<NamedTensor>& tensors) {
  const auto rank = [](const NamedTensor& item) { return -(&row_of(item.tensor.dtype()) - kDTypes); };
  std::sort(tensors.begin(), tensors.end(), [&](const NamedTensor& a, const NamedTensor& b) {
    return std::pair(rank(a), std::string_view(a.name)) < std::pair(rank(b), std::string_view(b.name));
  });
}

Result<std::string> format_safetensors_header(std::span<const NamedTensor> tensors,
                                              const SafetensorsMetadata& metadata) {
  std::unordered_set<std::string_view> seen{kMetadataKey};
  std::string json = "{";
  if (!metadata.empty()) json += fmt::format("\"{}\":{}", kMetadataKey, nlohmann::json(metadata).dump());
  int64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    if (!seen.insert(name).second || !simdjson::validate_utf8(name)) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("safetensors: the tensor name {} is repeated, reserved or not UTF-8",
                                    json_excerpt(name)));
    }
    if (is_block(tensor.dtype())) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("safetensors: tensor {} is {}, a dtype that the format does not have",
                                    json_excerpt(name), tensor.describe()),
                        "decode it first, or write GGUF");
    }
    json += fmt::format("{}{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                        json.size() > 1 ? "," : "", nlohmann::json(name).dump(), row_of(tensor.dtype()).name,
                        fmt::join(tensor.shape().extents(), ","), offset, offset + tensor.bytes());
    offset += tensor.bytes();
  }
  json += '}';
  json.resize((json.size() + 7) / 8 * 8, ' ');
  const uint64_t length = json.size();
  if (length > kMaxSafetensorsHeader) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("safetensors: the header of {} tensors takes {} bytes, expected at most {}",
                                  tensors.size(), length, kMaxSafetensorsHeader));
  }
  std::string header(sizeof length, '\0');
  std::memcpy(header.data(), &length, sizeof length);
  return header + json;
}

}  // namespace quern::formats
