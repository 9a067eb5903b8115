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
    if (!is_block(dtype) || has_scales_beside(dtype)) continue;
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
      for (const DType narrow : {DType::bf16, DType::f16}) {
        const Tensor rounded = ops::cast(x, narrow), wanted = y.to(narrow);
        const auto got = rounded.to(DType::f32), expected_narrow = wanted.to(DType::f32);
        for (int64_t j = 0; j < y.numel(); ++j)
          ASSERT_TRUE(same(got.data<float>()[j], expected_narrow.data<float>()[j])) << name_of(narrow) << j;
      }
      for (int64_t j = 0; j < y.numel(); ++j) {
        ASSERT_TRUE(same(y.data<float>()[j], expected.data<float>()[j]))
            << "[" << j << "] " << y.data<float>()[j] << ", expected " << expected.data<float>()[j];
      }
    }
  }
}

// NF4 with scales of 8 bits, against bitsandbytes (tools/goldens/packed.py).
TEST(DecodeVsGolden, EveryTableGivesWhatBitsandbytesDecodes) {
  const auto golden =
      formats::TensorArchive::open(QUERN_SOURCE_DIR "/tests/golden/packed/weights.safetensors").value();
  const auto part = [&](const std::string& name) { return golden.tensor("bnb.nf4_twice." + name).value(); };
  const Tensor expected = part("expected").to(DType::f32), codes = part("weight.absmax"),
               levels = part("weight.nested_quant_map"), groups = part("weight.nested_absmax"),
               state = part("weight.quant_state.bitsandbytes__nf4");
  const std::string text(reinterpret_cast<const char*>(state.data<uint8_t>()), state.span<uint8_t>().size());
  const auto scales = std::make_shared<BlockScales>(
      BlockScales{.codes = codes.data<uint8_t>(),
                  .levels = levels.data<float>(),
                  .groups = groups.data<float>(),
                  .per_group = 256,
                  .offset = std::stof(text.substr(text.find("nested_offset\": ") + 16)),
                  .dtype = DType::bf16});
  const Tensor whole = Tensor::of_blocks(part("weight"), expected.shape(), DType::nf4, scales);
  ASSERT_GT(groups.numel(), 1) << "groups of scales matter";
  for (const backend::KernelTable* table : backend::supported_tables()) {
    SCOPED_TRACE(table->name);
    const backend::ScopedTable scope(*table);
    for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 80}, {67, 80}}) {
      const Tensor y = ops::cast(whole.sliced(begin, end), DType::f32), wanted = expected.sliced(begin, end);
      for (int64_t j = 0; j < y.numel(); ++j)
        ASSERT_TRUE(same(y.data<float>()[j], wanted.data<float>()[j])) << "row " << begin << " [" << j << "]";
    }
  }
}

}  // namespace
}  // namespace quern
