#include "formats/gguf/archive.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <optional>

#include "base/json.h"

namespace quern::formats {

namespace {

// "<stem>-00001-of-00003.gguf", numbers of at least five digits.
struct SplitName {
  std::string stem;
  uint64_t no;  // from 0
  uint64_t count;
};

std::optional<uint64_t> take_number(std::string_view& text) {
  const size_t begin = text.find_last_not_of("0123456789") + 1;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + begin, text.data() + text.size(), value);
  if (error != std::errc() || text.size() - begin < 5) return std::nullopt;
  text.remove_suffix(text.size() - begin);
  return value;
}

bool take(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

std::optional<SplitName> parse_split_name(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  std::string_view rest = name;
  if (!take(rest, kGgufExtension)) return std::nullopt;
  const auto count = take_number(rest);
  if (!count || !take(rest, "-of-")) return std::nullopt;
  const auto no = take_number(rest);
  if (!no || *no == 0 || *no > *count || !take(rest, "-")) return std::nullopt;
  return SplitName{std::string(rest), *no - 1, *count};
}

Error corrupt_split(const std::filesystem::path& path, std::string_view what) {
  return make_error(ErrorCode::corrupt, fmt::format("{}: gguf: {}", path.string(), what),
                    "fetch all files of the split model again, and keep their names");
}

}  // namespace

bool is_gguf(const std::filesystem::path& path) {
  if (path.extension() == kGgufExtension) return true;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  std::ifstream file(path, std::ios::binary);
  std::string start(kGgufMagic.size(), '\0');
  return file.read(start.data(), static_cast<std::streamsize>(start.size())) && start == kGgufMagic;
}

std::filesystem::path gguf_split_path(const std::filesystem::path& path, uint64_t no, uint64_t count) {
  return path.parent_path() /
         fmt::format("{}-{:05}-of-{:05}{}", path.stem().string(), no + 1, count, kGgufExtension);
}

Result<GgufArchive> GgufArchive::open(const std::filesystem::path& path) {
  GgufArchive archive;
  archive.path_ = path;
  const std::optional<SplitName> name = parse_split_name(path);
  if (!name || name->count == 1) {
    QUERN_CHECK(archive.add_file(path, 0, 1));
    return archive;
  }
  const std::filesystem::path whole = path.parent_path() / (name->stem + std::string(kGgufExtension));
  for (uint64_t no = 0; no < name->count; ++no) {
    QUERN_CHECK(archive.add_file(gguf_split_path(whole, no, name->count), no, name->count));
  }
  const size_t tensors = archive.tensors_.size();
  QUERN_TRY(const uint64_t expected, archive.metadata_.get_or<uint64_t>(kGgufSplitTensors, tensors));
  if (expected != tensors) {
    return corrupt_split(path, fmt::format("{} is {}, but the {} files hold {} tensors", kGgufSplitTensors,
                                           expected, name->count, tensors));
  }
  return archive;
}

Result<void> GgufArchive::add_file(const std::filesystem::path& path, uint64_t no, uint64_t count) {
  QUERN_TRY(MappedFile file, MappedFile::open(path));
  Result<GgufHeader> header = parse_gguf(file.bytes());
  if (!header.ok()) return std::move(header).error().within(path.string());
  for (const auto& [key, expected, fallback] :
       {std::tuple(kGgufSplitNo, no, uint64_t{0}), std::tuple(kGgufSplitCount, count, uint64_t{1})}) {
    QUERN_TRY(const uint64_t value, header->metadata.get_or<uint64_t>(key, fallback));
    // Files say 0 of 0, too, when they are not split.
    if (value != expected && !(count == 1 && value == 0)) {
      return corrupt_split(
          path, fmt::format("{} is {}, expected {} from the name of the file", key, value, expected));
    }
  }
  QUERN_CHECK(add_tensors(path, std::move(header->tensors)));
  if (no == 0) {
    metadata_ = std::move(header->metadata);
    version_ = header->version;
  }
  files_.push_back(std::make_shared<const MappedFile>(std::move(file)));
  return {};
}

Result<void> GgufArchive::add_tensors(const std::filesystem::path& path, std::vector<GgufTensor> tensors) {
  for (GgufTensor& tensor : tensors) {
    tensor.file = files_.size();
    if (!index_.emplace(tensor.name, tensors_.size()).second) {
      return corrupt_split(
          path, fmt::format("tensor {} is in another file of the model, too", json_excerpt(tensor.name)));
    }
    tensors_.push_back(std::move(tensor));
  }
  return {};
}

const GgufTensor* GgufArchive::find(std::string_view name) const {
  const auto at = index_.find(std::string(name));
  return at == index_.end() ? nullptr : &tensors_[at->second];
}

Result<Tensor> GgufArchive::tensor(std::string_view name) const {
  const GgufTensor* entry = find(name);
  if (entry == nullptr) {
    return make_error(ErrorCode::not_found, fmt::format("{} has no tensor {}", path_.string(), name),
                      "the file may be of another architecture than its metadata says");
  }
  if (!entry->type->dtype) {
    return make_error(ErrorCode::unsupported,
                      fmt::format("tensor {} of {} is {}, a type that Quern does not compute with", name,
                                  path_.string(), entry->describe()));
  }
  const DType dtype = *entry->type->dtype;
  const std::shared_ptr<const MappedFile>& file = files_[entry->file];
  // Tensors have mutable bytes by type; those of a mapping are read-only by contract.
  auto* data = const_cast<std::byte*>(file->bytes().data()) + entry->begin;
  const Tensor mapped(Storage::borrow(data, static_cast<int64_t>(entry->bytes), file), 0, Shape(entry->shape),
                      dtype);
  const auto alignment = static_cast<uintptr_t>(is_block(dtype) ? alignof(float16) : size_of(dtype));
  return reinterpret_cast<uintptr_t>(data) % alignment == 0 ? mapped : mapped.clone();
}

void GgufArchive::release() const {
  for (const auto& file : files_) file->done_with(0, file->size());
}

}  // namespace quern::formats
