// What every kernel table decodes block-quantised rows to, against a recording of the gguf package
// (tools/goldens/quant_decode.py), to the bit.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "backend/api/backend.h"
#include "formats/safetensors.h"
#include "ops/cast.h"
#include "support/source_dir.h"

namespace quern {
namespace {

bool same(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) || std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
}

TEST(DecodeVsGolden, EveryTableGivesTheRecordedValues) {
  const auto golden =
      formats::TensorArchive::open(QUERN_SOURCE_DIR "/tests/golden/quant/decode.safetensors").value();
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    if (!is_block(dtype)) continue;
    const std::string name(name_of(dtype));
    const Tensor blocks = golden.tensor(name + ".blocks").value(),
                 expected = golden.tensor(name + ".values").value();
    // Two rows, so that rows matter.
    const Tensor x(Storage::borrow(blocks.raw(), blocks.bytes(), nullptr), 0, {2, expected.numel() / 2},
                   dtype);
    for (const backend::KernelTable* table : backend::supported_tables()) {
      SCOPED_TRACE(name + ", " + table->name);
      const backend::ScopedTable scope(*table);
      const Tensor y = ops::cast(x, DType::f32);
      for (int64_t j = 0; j < y.numel(); ++j) {
        ASSERT_TRUE(same(y.data<float>()[j], expected.data<float>()[j]))
            << "[" << j << "] " << y.data<float>()[j] << ", expected " << expected.data<float>()[j];
      }
    }
  }
}

}  // namespace
}  // namespace quern
