#include "formats/gguf/contents.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/interrupt.h"
#include "formats/gguf/writer.h"

namespace quern::formats {

const GgufEntry* GgufContents::find(std::string_view name) const {
  const auto at = std::ranges::find(tensors, name, &GgufEntry::name);
  return at == tensors.end() ? nullptr : &*at;
}

Result<GgufContents> contents_of(const GgufArchive& archive) {
  GgufContents contents{archive.metadata(), {}};
  const auto shared = std::make_shared<const GgufArchive>(archive);
  for (const GgufTensor& tensor : archive.tensors()) {
    // Tells what is wrong with a tensor that cannot be had.
    if (!tensor.type->dtype) return archive.tensor(tensor.name).error();
    contents.tensors.push_back({tensor.name, Shape(tensor.shape), *tensor.type->dtype,
                                [shared, name = tensor.name] { return shared->tensor(name); }});
  }
  return contents;
}

Result<void> write_gguf(const std::filesystem::path& path, const GgufContents& contents, Progress& progress) {
  std::vector<GgufTensorPlan> plans;
  int64_t bytes = 0;
  for (const GgufEntry& entry : contents.tensors) {
    plans.push_back({entry.name, entry.shape, entry.dtype});
    bytes += bytes_of(entry.dtype, entry.shape.numel());
  }
  QUERN_TRY(GgufWriter writer, GgufWriter::create(path, contents.metadata, std::move(plans)));
  ProgressScope scope(progress, "write " + path.filename().string(), bytes, "bytes");
  int64_t done = 0;
  for (const GgufEntry& entry : contents.tensors) {
    throw_if_interrupted();
    QUERN_TRY(const Tensor tensor, entry.tensor());
    QUERN_CHECK(writer.add(tensor));
    scope.update(done += tensor.bytes());
  }
  return writer.finish();
}

}  // namespace quern::formats
