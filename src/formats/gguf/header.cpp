#include "formats/gguf/header.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string_view>
#include <type_traits>
#include <unordered_set>

#include "base/json.h"

namespace quern::formats {

namespace {

static_assert(std::endian::native == std::endian::little);

template <class... Args>
Error corrupt_gguf(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(ErrorCode::corrupt, fmt::format(format, std::forward<Args>(args)...),
                    "the file is damaged or was not written completely; fetch or write it again");
}

template <class... Args>
Error unsupported(std::string hint, fmt::format_string<Args...> format, Args&&... args) {
  return make_error(ErrorCode::unsupported, fmt::format(format, std::forward<Args>(args)...),
                    std::move(hint));
}

// Reads forward through the bytes and never past their end. `field` says in errors what was being read.
class HeaderCursor {
 public:
  explicit HeaderCursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  uint64_t position() const { return at_; }
  uint64_t left() const { return bytes_.size() - at_; }

  template <class T>
  Result<T> number(std::string_view field) {
    if (left() < sizeof(T)) {
      return corrupt_gguf("{} takes {} bytes at byte {}, where {} are left", field, sizeof(T), at_, left());
    }
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

  // A number of things that take at least `least` bytes each.
  Result<uint64_t> count(std::string_view field, uint64_t least) {
    QUERN_TRY(const uint64_t value, number<uint64_t>(field));
    if (value > left() / least) {
      return corrupt_gguf("{} is {}, expected at most {}: {} bytes are left, and each takes {} or more",
                          field, value, left() / least, left(), least);
    }
    return value;
  }

  // The next `size` bytes. Precondition: count() has checked them.
  const std::byte* take(uint64_t size) {
    const std::byte* data = bytes_.data() + at_;
    at_ += size;
    return data;
  }

  Result<std::string_view> string(std::string_view length_field) {
    QUERN_TRY(const uint64_t length, count(length_field, 1));
    return std::string_view(reinterpret_cast<const char*>(take(length)), length);
  }

 private:
  std::span<const std::byte> bytes_;
  uint64_t at_ = 0;
};

// A file may hold any byte for a bool; the type may not.
template <class T>
using Stored = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

template <class T>
Result<GgufValue> read_scalar(HeaderCursor& in) {
  if constexpr (std::is_same_v<T, std::string>) {
    QUERN_TRY(const std::string_view text, in.string("the length"));
    return GgufValue(std::string(text));
  } else {
    QUERN_TRY(const Stored<T> value, in.number<Stored<T>>("the value"));
    return GgufValue(std::in_place_type<T>, static_cast<T>(value));
  }
}

template <class T>
Result<GgufArray> read_elements(HeaderCursor& in) {
  std::vector<T> elements;
  if constexpr (std::is_same_v<T, std::string>) {
    QUERN_TRY(const uint64_t count, in.count("the number of elements", sizeof(uint64_t)));
    elements.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      QUERN_TRY(const std::string_view text, in.string("the length of an element"));
      elements.emplace_back(text);
    }
  } else {
    QUERN_TRY(const uint64_t count, in.count("the number of elements", sizeof(Stored<T>)));
    const std::byte* data = in.take(count * sizeof(Stored<T>));
    elements.resize(count);
    if constexpr (std::is_same_v<T, bool>) {
      for (uint64_t i = 0; i < count; ++i) elements[i] = data[i] != std::byte{0};
    } else if (count > 0) {
      std::memcpy(elements.data(), data, count * sizeof(T));
    }
  }
  return GgufArray(std::move(elements));
}

Result<uint32_t> read_type(HeaderCursor& in, std::string_view field) {
  QUERN_TRY(const uint32_t type, in.number<uint32_t>(field));
  if (type >= kGgufTypeCount)
    return corrupt_gguf("{} is {}, expected at most {}", field, type, kGgufTypeCount - 1);
  return type;
}

// Calls the reader of type number `type` among the alternatives of a variant; kReaders is indexed by it.
template <size_t... kTypes>
Result<GgufArray> read_array_of(uint32_t type, HeaderCursor& in, std::index_sequence<kTypes...>) {
  using Reader = Result<GgufArray> (*)(HeaderCursor&);
  static constexpr Reader kReaders[] = {[]() -> Reader {
    using Elements = std::variant_alternative_t<kTypes, GgufArray>;
    if constexpr (kTypes == kGgufArrayType)
      return nullptr;
    else
      return read_elements<typename Elements::value_type>;
  }()...};
  return kReaders[type](in);
}

Result<GgufValue> read_array(HeaderCursor& in) {
  QUERN_TRY(const uint32_t type, read_type(in, "the element type"));
  if (type == kGgufArrayType) return unsupported("", "arrays of arrays are not supported");
  QUERN_TRY(GgufArray array, read_array_of(type, in, std::make_index_sequence<kGgufTypeCount>()));
  return GgufValue(std::move(array));
}

template <size_t... kTypes>
Result<GgufValue> read_value(uint32_t type, HeaderCursor& in, std::index_sequence<kTypes...>) {
  using Reader = Result<GgufValue> (*)(HeaderCursor&);
  static constexpr Reader kReaders[] = {[]() -> Reader {
    if constexpr (kTypes == kGgufArrayType)
      return read_array;
    else
      return read_scalar<std::variant_alternative_t<kTypes, GgufValue>>;
  }()...};
  return kReaders[type](in);
}

Result<void> read_entry(HeaderCursor& in, GgufMetadata& metadata) {
  QUERN_TRY(const std::string_view key, in.string("the length of a metadata key"));
  if (key.empty() || !simdjson::validate_utf8(key)) {
    return corrupt_gguf("metadata key {} is {}, expected text", json_excerpt(key),
                        key.empty() ? "empty" : "not UTF-8");
  }
  if (metadata.find(key) != nullptr) return corrupt_gguf("metadata key {} is repeated", json_excerpt(key));
  const auto read = [&]() -> Result<GgufValue> {
    QUERN_TRY(const uint32_t type, read_type(in, "the type"));
    return read_value(type, in, std::make_index_sequence<kGgufTypeCount>());
  };
  Result<GgufValue> value = read();
  if (!value.ok()) return std::move(value).error().within(fmt::format("metadata {}", json_excerpt(key)));
  metadata.set(std::string(key), std::move(*value));
  return {};
}

Result<uint64_t> read_alignment(const GgufMetadata& metadata) {
  QUERN_TRY(const uint64_t alignment, metadata.get_or<uint64_t>(kGgufAlignmentKey, kGgufDefaultAlignment));
  if (!std::has_single_bit(alignment) || alignment > kGgufMaxAlignment) {
    return corrupt_gguf("{} is {}, expected a power of two up to {}", kGgufAlignmentKey, alignment,
                        kGgufMaxAlignment);
  }
  return alignment;
}

Result<uint32_t> read_version(HeaderCursor& in) {
  QUERN_TRY(const uint32_t magic, in.number<uint32_t>("the magic number"));
  if (std::memcmp(&magic, kGgufMagic.data(), sizeof magic) != 0) {
    return corrupt_gguf("the file begins with {:08x}, expected the letters GGUF", __builtin_bswap32(magic));
  }
  QUERN_TRY(const uint32_t version, in.number<uint32_t>("the version"));
  if (version != 0 && (version & 0xffff) == 0) {
    return unsupported("convert it on the machine it comes from", "the file is big-endian (version {:#010x})",
                       version);
  }
  if (version < 2 || version > kGgufVersion) {
    return unsupported(version < 2 ? "convert it with a tool of its time" : "a newer Quern may read it",
                       "the version is {}, expected 2 or {}", version, kGgufVersion);
  }
  return version;
}

// What a Shape holds at most.
constexpr uint64_t kMaxElements = uint64_t{1} << 62;

// The extents, row-major, and through them the elements and bytes, all checked for overflow.
Result<void> read_shape(HeaderCursor& in, GgufTensor& tensor) {
  QUERN_TRY(const uint32_t rank, in.number<uint32_t>("the number of dimensions"));
  if (rank > kGgufMaxRank) {
    return corrupt_gguf("the number of dimensions is {}, expected at most {}", rank, kGgufMaxRank);
  }
  uint64_t elements = 1;
  for (uint32_t i = 0; i < rank; ++i) {
    QUERN_TRY(const uint64_t extent, in.number<uint64_t>("an extent"));
    // Also beside a zero, so that every product of extents fits.
    if (__builtin_mul_overflow(elements, std::max<uint64_t>(extent, 1), &elements) ||
        elements > kMaxElements) {
      return corrupt_gguf("extent {} is {}, and the extents multiply past 2^62", i, extent);
    }
    tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(extent));
  }
  return {};
}

Result<void> read_type_and_size(HeaderCursor& in, GgufTensor& tensor) {
  QUERN_TRY(const uint32_t id, in.number<uint32_t>("the tensor type"));
  tensor.type = gguf_tensor_type(id);
  if (tensor.type == nullptr) {
    return unsupported("a newer Quern may read it", "the tensor type is {}, which this version does not know",
                       id);
  }
  const int64_t block = tensor.type->elements, row = tensor.shape.empty() ? 1 : tensor.shape.back();
  if (row % block != 0) {
    return corrupt_gguf("its rows have {} elements, expected a multiple of {}, the block of {}", row, block,
                        tensor.type->name);
  }
  if (__builtin_mul_overflow(static_cast<uint64_t>(tensor.elements() / block),
                             static_cast<uint64_t>(tensor.type->bytes), &tensor.bytes) ||
      tensor.bytes > INT64_MAX) {
    return corrupt_gguf("{} takes more than 2^63 - 1 bytes", tensor.describe());
  }
  return {};
}

// `begin` stays relative to the data here: its start is not known yet.
Result<GgufTensor> read_tensor(HeaderCursor& in, uint64_t alignment) {
  GgufTensor tensor;
  QUERN_TRY(const std::string_view name, in.string("the length of a tensor name"));
  if (name.empty() || name.size() > kGgufMaxName || !simdjson::validate_utf8(name)) {
    return corrupt_gguf("the tensor name {} has {} bytes, expected 1 to {} of UTF-8", json_excerpt(name),
                        name.size(), kGgufMaxName);
  }
  tensor.name = name;
  const auto read = [&]() -> Result<void> {
    QUERN_CHECK(read_shape(in, tensor));
    QUERN_CHECK(read_type_and_size(in, tensor));
    QUERN_TRY(tensor.begin, in.number<uint64_t>("the offset"));
    if (tensor.begin % alignment != 0) {
      return corrupt_gguf("the offset is {}, expected a multiple of {}", tensor.begin, alignment);
    }
    return {};
  };
  if (auto done = read(); !done.ok()) {
    return std::move(done).error().within(fmt::format("tensor {}", json_excerpt(name)));
  }
  return tensor;
}

// Every tensor inside the `size` bytes of data that begin at `start` of the file, and none over another.
Result<void> place(std::vector<GgufTensor>& tensors, uint64_t start, uint64_t size) {
  std::vector<const GgufTensor*> order;
  for (GgufTensor& tensor : tensors) {
    if (tensor.begin > size || tensor.bytes > size - tensor.begin) {
      return corrupt_gguf(
          "tensor {}: {} takes {} bytes at offset {}, expected to lie within the {} bytes of data",
          json_excerpt(tensor.name), tensor.describe(), tensor.bytes, tensor.begin, size);
    }
    tensor.begin += start;
    if (tensor.bytes > 0) order.push_back(&tensor);
  }
  std::ranges::sort(order, {}, &GgufTensor::begin);
  for (size_t i = 1; i < order.size(); ++i) {
    const GgufTensor &before = *order[i - 1], &after = *order[i];
    if (before.begin + before.bytes > after.begin) {
      return corrupt_gguf(
          "tensors {} and {} overlap: the first ends at byte {}, the second begins at byte {}",
          json_excerpt(before.name), json_excerpt(after.name), before.begin + before.bytes, after.begin);
    }
  }
  return {};
}

Result<GgufHeader> parse(std::span<const std::byte> file) {
  // The shortest: key length, one letter, type, one byte; and name length, one letter, rank, type, offset.
  constexpr uint64_t kLeastEntry = 8 + 1 + 4 + 1, kLeastTensor = 8 + 1 + 4 + 4 + 8;
  HeaderCursor in(file);
  GgufHeader header;
  QUERN_TRY(header.version, read_version(in));
  QUERN_TRY(const uint64_t tensors, in.count("the number of tensors", kLeastTensor));
  QUERN_TRY(const uint64_t entries, in.count("the number of metadata entries", kLeastEntry));
  for (uint64_t i = 0; i < entries; ++i) QUERN_CHECK(read_entry(in, header.metadata));
  QUERN_TRY(header.alignment, read_alignment(header.metadata));
  std::unordered_set<std::string> names;
  for (uint64_t i = 0; i < tensors; ++i) {
    QUERN_TRY(GgufTensor tensor, read_tensor(in, header.alignment));
    if (!names.insert(tensor.name).second)
      return corrupt_gguf("tensor name {} is repeated", json_excerpt(tensor.name));
    header.tensors.push_back(std::move(tensor));
  }
  // A file without tensors may end without the padding.
  const uint64_t start = std::min<uint64_t>(gguf_padded(in.position(), header.alignment), file.size());
  QUERN_CHECK(place(header.tensors, start, file.size() - start));
  return header;
}

}  // namespace

int64_t GgufTensor::elements() const {
  int64_t product = 1;
  for (const int64_t extent : shape) product *= extent;
  return product;
}

std::string GgufTensor::describe() const { return fmt::format("{}[{}]", type->name, fmt::join(shape, ", ")); }

Result<GgufHeader> parse_gguf(std::span<const std::byte> file) {
  Result<GgufHeader> header = parse(file);
  if (!header.ok()) return std::move(header).error().within("gguf");
  return header;
}

}  // namespace quern::formats
