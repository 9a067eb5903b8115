#include "formats/gguf/writer.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <type_traits>
#include <unordered_set>

#include "base/json.h"
#include "formats/gguf/archive.h"
#include "formats/gguf/header.h"

namespace quern::formats {

namespace {

// Of the specification and of its reference parser, the stricter.
constexpr size_t kMaxWrittenName = 63;
constexpr size_t kMaxKey = 65535;
constexpr uint64_t kLeastAlignment = 8;
constexpr size_t kMaxFiles = 65535;
constexpr uint32_t kQuantizationVersion = 2;

template <class... Args>
Error invalid(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(ErrorCode::invalid_argument, "gguf: " + fmt::format(format, std::forward<Args>(args)...));
}

// Appends the bytes of values as a file holds them.
class Bytes {
 public:
  template <class T>
  void number(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void string(std::string_view value) {
    number<uint64_t>(value.size());
    text_ += value;
  }
  void value(const GgufValue& value) {
    number(static_cast<uint32_t>(value.index()));
    std::visit([this](const auto& held) { put(held); }, value);
  }
  void pad(uint64_t alignment) { text_.resize(gguf_padded(text_.size(), alignment)); }
  const std::string& text() const { return text_; }

 private:
  template <class T>
  void put(const T& held) {
    if constexpr (std::is_same_v<T, std::string>) {
      string(held);
    } else if constexpr (std::is_same_v<T, GgufArray>) {
      number(static_cast<uint32_t>(held.index()));
      std::visit([this](const auto& elements) { this->put_elements(elements); }, held);
    } else {
      number(held);
    }
  }
  void put_elements(std::monostate) {}
  template <class T>
  void put_elements(const std::vector<T>& elements) {
    number<uint64_t>(elements.size());
    if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, bool>) {
      for (const T& element : elements) put(element);
    } else {
      text_.append(reinterpret_cast<const char*>(elements.data()), elements.size() * sizeof(T));
    }
  }

  std::string text_;
};

Result<void> check(const GgufMetadata& metadata) {
  for (const auto& [key, value] : metadata.entries()) {
    if (key.empty() || key.size() > kMaxKey || !simdjson::validate_utf8(key)) {
      return invalid("the metadata key {} has {} bytes, expected 1 to {} of UTF-8", json_excerpt(key),
                     key.size(), kMaxKey);
    }
    if (value.index() == kGgufArrayType && std::get<GgufArray>(value).index() == kGgufArrayType) {
      return invalid("metadata {} is an array without an element type", json_excerpt(key));
    }
  }
  return {};
}

Result<void> check(const std::vector<GgufTensorPlan>& plans) {
  std::unordered_set<std::string_view> names;
  for (const auto& [name, shape, dtype] : plans) {
    if (name.empty() || name.size() > kMaxWrittenName || !simdjson::validate_utf8(name)) {
      return invalid("the tensor name {} has {} bytes, expected 1 to {} of UTF-8", json_excerpt(name),
                     name.size(), kMaxWrittenName);
    }
    if (!names.insert(name).second) return invalid("the tensor name {} is repeated", json_excerpt(name));
    if (static_cast<size_t>(shape.rank()) > kGgufMaxRank) {
      return invalid("tensor {} has {} dimensions, expected at most {}", name, shape.rank(), kGgufMaxRank);
    }
    if (gguf_tensor_type(dtype) == nullptr) {
      return invalid("tensor {} is {}, a dtype that the format does not have", name, name_of(dtype));
    }
    if (shape.cols() % block_elements(dtype) != 0) {
      return invalid("tensor {} of {}{} has rows that are no whole blocks of {}", name, name_of(dtype),
                     shape.to_string(), block_elements(dtype));
    }
  }
  return {};
}

uint64_t bytes_of(const GgufTensorPlan& plan) {
  return static_cast<uint64_t>(quern::bytes_of(plan.dtype, plan.shape.numel()));
}

// The first tensor of each file, and the number of all.
std::vector<size_t> split(std::span<const GgufTensorPlan> plans, uint64_t alignment, uint64_t split_size) {
  std::vector<size_t> starts{0};
  uint64_t size = 0;
  for (size_t i = 0; i < plans.size(); ++i) {
    const uint64_t bytes = gguf_padded(bytes_of(plans[i]), alignment);
    if (split_size > 0 && size > 0 && bytes > split_size - std::min(size, split_size)) {
      starts.push_back(i);
      size = 0;
    }
    size += bytes;
  }
  starts.push_back(plans.size());
  return starts;
}

std::string format_head(const GgufMetadata& metadata, std::span<const GgufTensorPlan> plans,
                        uint64_t alignment) {
  Bytes out;
  for (const char letter : kGgufMagic) out.number(letter);
  out.number(kGgufVersion);
  out.number<uint64_t>(plans.size());
  out.number<uint64_t>(metadata.entries().size());
  for (const auto& [key, value] : metadata.entries()) {
    out.string(key);
    out.value(value);
  }
  uint64_t offset = 0;
  for (const GgufTensorPlan& plan : plans) {
    out.string(plan.name);
    out.number(static_cast<uint32_t>(plan.shape.rank()));
    for (int i = plan.shape.rank() - 1; i >= 0; --i) out.number(plan.shape[i]);
    out.number(gguf_tensor_type(plan.dtype)->id);
    out.number(offset);
    offset += gguf_padded(bytes_of(plan), alignment);
  }
  out.pad(alignment);
  return out.text();
}

}  // namespace

Result<GgufWriter> GgufWriter::create(const std::filesystem::path& path, GgufMetadata metadata,
                                      std::vector<GgufTensorPlan> plans, uint64_t split_size) {
  QUERN_TRY(const uint64_t alignment, metadata.get_or<uint64_t>(kGgufAlignmentKey, kGgufDefaultAlignment));
  if (!std::has_single_bit(alignment) || alignment < kLeastAlignment || alignment > kGgufMaxAlignment) {
    return invalid("{} is {}, expected a power of two from {} to {}", kGgufAlignmentKey, alignment,
                   kLeastAlignment, kGgufMaxAlignment);
  }
  if (metadata.find(kGgufAlignmentKey) != nullptr) {
    metadata.set(std::string(kGgufAlignmentKey),
                 static_cast<uint32_t>(alignment));  // the type that readers take
  }
  QUERN_CHECK(check(plans));
  if (std::ranges::any_of(plans, [](const GgufTensorPlan& plan) { return is_block(plan.dtype); })) {
    metadata.set("general.quantization_version", kQuantizationVersion);
  }
  // Of the files that a model came from, not of those it goes to.
  for (const std::string_view key : {kGgufSplitNo, kGgufSplitCount, kGgufSplitTensors}) metadata.erase(key);
  GgufWriter writer(std::move(plans), alignment);
  writer.starts_ = split(writer.plans_, alignment, split_size);
  const size_t files = writer.starts_.size() - 1;
  if (files > kMaxFiles) return invalid("the split makes {} files, expected at most {}", files, kMaxFiles);
  for (size_t no = 0; no < files; ++no) {
    writer.paths_.push_back(files == 1 ? path : gguf_split_path(path, no, files));
  }
  if (path.has_parent_path()) QUERN_CHECK(make_directories(path.parent_path()));
  writer.metadata_ = std::move(metadata);
  QUERN_CHECK(check(writer.metadata_));
  QUERN_CHECK(writer.next_file());
  return writer;
}

Result<void> GgufWriter::next_file() {
  if (file_) QUERN_CHECK(file_->commit());
  const size_t no = opened_++, files = paths_.size();
  GgufMetadata metadata;
  if (no == 0) {
    metadata = std::move(metadata_);
  } else if (alignment_ != kGgufDefaultAlignment) {
    metadata.set(std::string(kGgufAlignmentKey), static_cast<uint32_t>(alignment_));
  }
  if (files > 1) {
    metadata.set(std::string(kGgufSplitNo), static_cast<uint16_t>(no));
    metadata.set(std::string(kGgufSplitCount), static_cast<uint16_t>(files));
    metadata.set(std::string(kGgufSplitTensors), static_cast<int32_t>(plans_.size()));
  }
  QUERN_TRY(AtomicFile file, AtomicFile::create(paths_[no]));
  file_.emplace(std::move(file));
  const auto plans = std::span(plans_).subspan(starts_[no], starts_[no + 1] - starts_[no]);
  return file_->write(format_head(metadata, plans, alignment_));
}

Result<void> GgufWriter::add(const Tensor& tensor) {
  if (next_ == plans_.size())
    throw InternalError("[gguf] expected no further tensor, got " + tensor.describe());
  const auto& [name, shape, dtype] = plans_[next_];
  if (tensor.shape() != shape || tensor.dtype() != dtype) {
    throw ShapeError(fmt::format("[gguf] expected tensor {} of {}{}, got {}", name, name_of(dtype),
                                 shape.to_string(), tensor.describe()));
  }
  if (next_ == starts_[opened_]) QUERN_CHECK(next_file());
  QUERN_CHECK(
      file_->write({static_cast<const std::byte*>(tensor.raw()), static_cast<size_t>(tensor.bytes())}));
  const std::string zeros(gguf_padded(file_->position(), alignment_) - file_->position(), '\0');
  ++next_;
  return file_->write(zeros);
}

Result<void> GgufWriter::finish() {
  if (next_ != plans_.size()) {
    throw InternalError(
        fmt::format("[gguf] expected {} tensors before finish, got {}", plans_.size(), next_));
  }
  return file_->commit();
}

}  // namespace quern::formats
