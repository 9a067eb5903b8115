#include "formats/gguf/importance_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/file.h"
#include "formats/gguf/archive.h"
#include "formats/gguf/legacy_importance.h"
#include "formats/gguf/writer.h"

namespace quern::formats {

namespace {

constexpr std::string_view kTypeKey = "general.type";
constexpr std::string_view kType = "imatrix";
constexpr std::string_view kDatasetsKey = "imatrix.datasets";
constexpr std::string_view kChunkCountKey = "imatrix.chunk_count";
constexpr std::string_view kChunkSizeKey = "imatrix.chunk_size";
constexpr std::string_view kSums = ".in_sum2";
constexpr std::string_view kCounts = ".counts";

Error damaged(const std::filesystem::path& path, std::string_view tensor, std::string_view what) {
  return make_error(ErrorCode::corrupt, fmt::format("{}: {}: {}", path.string(), tensor, what));
}

// The numbers of tensor `name`, of any shape.
Result<std::vector<float>> numbers(const GgufArchive& archive, const std::string& name) {
  const GgufTensor* found = archive.find(name);
  if (found == nullptr) return damaged(archive.path(), name, "the tensor is missing");
  QUERN_TRY(const Tensor tensor, archive.tensor(name));
  if (tensor.dtype() != DType::f32)
    return damaged(archive.path(), name, fmt::format("expected f32, got {}", found->describe()));
  const std::span<const float> values = tensor.span<float>();
  if (std::ranges::any_of(values, [](float v) { return !std::isfinite(v) || v < 0.0f; }))
    return damaged(archive.path(), name, "expected finite numbers, 0 or more");
  return std::vector<float>(values.begin(), values.end());
}

Result<ImportanceMatrix::Entry> read_entry(const GgufArchive& archive, const std::string& weight) {
  ImportanceMatrix::Entry entry;
  const std::string name = weight + std::string(kSums);
  QUERN_TRY(entry.sums, numbers(archive, name));
  QUERN_TRY(entry.counts, numbers(archive, weight + std::string(kCounts)));
  if (entry.counts.empty() || entry.sums.empty() || entry.sums.size() % entry.counts.size() != 0) {
    return damaged(archive.path(), name,
                   fmt::format("{} sums do not belong to {} counts", entry.sums.size(), entry.counts.size()));
  }
  return entry;
}

}  // namespace

std::vector<float> ImportanceMatrix::Entry::importance() const {
  const auto width = static_cast<size_t>(columns());
  std::vector<float> means(sums.size(), 1.0f);
  for (size_t i = 0; i < sums.size(); ++i) {
    if (counts[i / width] > 0.0f) means[i] = sums[i] / counts[i / width];
  }
  return means;
}

Result<void> ImportanceMatrix::add(const ImportanceMatrix& other) {
  for (const auto& [name, entry] : other.entries) {
    const auto [place, added] = entries.try_emplace(name, entry);
    Entry& mine = place->second;
    if (added) continue;
    if (mine.sums.size() != entry.sums.size() || mine.counts.size() != entry.counts.size()) {
      return make_error(ErrorCode::conflict,
                        fmt::format("{} has {} columns in one importance matrix, {} in another", name,
                                    mine.columns(), entry.columns()),
                        "they are of different models");
    }
    std::ranges::transform(mine.sums, entry.sums, mine.sums.begin(), std::plus());
    std::ranges::transform(mine.counts, entry.counts, mine.counts.begin(), std::plus());
  }
  datasets.insert(datasets.end(), other.datasets.begin(), other.datasets.end());
  if (chunk_size == 0) chunk_size = other.chunk_size;
  if (chunk_size > 0) {
    const uint64_t tokens = uint64_t{other.chunk_count} * other.chunk_size;
    chunk_count += static_cast<uint32_t>(tokens / chunk_size);
  }
  return {};
}

Result<ImportanceMatrix> read_importance_matrix(const std::filesystem::path& path) {
  {
    QUERN_TRY(const MappedFile file, MappedFile::open(path));
    const auto bytes = file.bytes();
    const std::string_view start(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (!start.starts_with("GGUF")) return parse_legacy_importance(bytes, path.string());
  }
  QUERN_TRY(const GgufArchive archive, GgufArchive::open(path));
  const GgufMetadata& metadata = archive.metadata();
  QUERN_TRY(const std::string type, metadata.get_or<std::string>(kTypeKey, ""));
  if (type != kType) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{} is no importance matrix: {} is '{}', expected '{}'", path.string(),
                                  kTypeKey, type, kType),
                      "'quern imatrix' makes one");
  }
  ImportanceMatrix matrix;
  QUERN_TRY(matrix.datasets, metadata.get_or<std::vector<std::string>>(kDatasetsKey, {}));
  QUERN_TRY(const uint64_t chunks, metadata.get_or<uint64_t>(kChunkCountKey, 0));
  QUERN_TRY(const uint64_t size, metadata.get_or<uint64_t>(kChunkSizeKey, 0));
  matrix.chunk_count = static_cast<uint32_t>(std::min<uint64_t>(chunks, UINT32_MAX));
  matrix.chunk_size = static_cast<uint32_t>(std::min<uint64_t>(size, UINT32_MAX));
  for (const GgufTensor& tensor : archive.tensors()) {
    if (!tensor.name.ends_with(kSums)) continue;
    const std::string weight = tensor.name.substr(0, tensor.name.size() - kSums.size());
    QUERN_TRY(matrix.entries[weight], read_entry(archive, weight));
  }
  return matrix;
}

Result<void> write_importance_matrix(const std::filesystem::path& path, const ImportanceMatrix& matrix) {
  GgufMetadata metadata;
  metadata.set(std::string(kTypeKey), std::string(kType));
  metadata.set(std::string(kDatasetsKey), GgufArray(matrix.datasets));
  metadata.set(std::string(kChunkCountKey), matrix.chunk_count);
  metadata.set(std::string(kChunkSizeKey), matrix.chunk_size);
  std::vector<GgufTensorPlan> plans;
  std::vector<Tensor> tensors;
  for (const auto& [name, entry] : matrix.entries) {
    const auto matrices = static_cast<int64_t>(entry.counts.size());
    // The format drops outer extents of 1.
    const bool one = matrices == 1;
    tensors.push_back(
        Tensor::from(entry.sums, one ? Shape{entry.columns()} : Shape{matrices, entry.columns()}));
    plans.push_back({name + std::string(kSums), tensors.back().shape(), DType::f32});
    tensors.push_back(Tensor::from(entry.counts, one ? Shape{1} : Shape{matrices, 1}));
    plans.push_back({name + std::string(kCounts), tensors.back().shape(), DType::f32});
  }
  QUERN_TRY(GgufWriter writer, GgufWriter::create(path, std::move(metadata), std::move(plans)));
  for (const Tensor& tensor : tensors) QUERN_CHECK(writer.add(tensor));
  return writer.finish();
}

}  // namespace quern::formats
