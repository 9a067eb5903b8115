#include "convert/grow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "unit/model/tiny_models.h"

namespace quern::convert {
namespace {

using model::Decoder;
using model::same_bits;

std::map<std::string, Tensor> masters(const Decoder& decoder) {
  std::map<std::string, Tensor> all;
  nn::visit(decoder, [&](const std::string& name, const nn::Parameter& p) { all[name] = p.master(); });
  return all;
}

TEST(Grow, AddsRowsThatAreTheMeanOfTheKnown) {
  for (const char* family : {"llama", "phi"}) {
    const Decoder before = Decoder::create(model::tiny_config(family), 1).value();
    const int64_t vocab = before.config().vocab_size, known = vocab - 3;
    const Decoder after = grown(before, known, vocab + 2).value();
    EXPECT_EQ(after.config().vocab_size, vocab + 2);
    const auto old = masters(before);
    for (const auto& [name, tensor] : masters(after)) {
      if (tensor.shape() == old.at(name).shape()) {
        EXPECT_EQ(tensor.raw(), old.at(name).raw()) << name;
        continue;
      }
      ASSERT_THAT(name, testing::AnyOf("embedding.weight", "head.weight", "head.bias"));
      const int64_t width = tensor.numel() / tensor.dim(0);
      for (int64_t c = 0; c < width; ++c) {
        double mean = 0.0;
        for (int64_t r = 0; r < known; ++r) {
          EXPECT_EQ(tensor.data<float>()[r * width + c], old.at(name).data<float>()[r * width + c]);
          mean += static_cast<double>(tensor.data<float>()[r * width + c]) / static_cast<double>(known);
        }
        for (int64_t r = known; r < vocab + 2; ++r)
          EXPECT_NEAR(tensor.data<float>()[r * width + c], mean, 1e-6) << name;
      }
    }
  }
}

// Rows that were there to fill the table up are used first.
TEST(Grow, UsesWhatIsFree) {
  const Decoder before = Decoder::create(model::tiny_config("llama"), 1).value();
  const int64_t vocab = before.config().vocab_size;
  const Decoder after = grown(before, vocab - 4, vocab - 2).value();
  EXPECT_EQ(after.config().vocab_size, vocab);
  const Tensor old = masters(before).at("embedding.weight"), table = masters(after).at("embedding.weight");
  EXPECT_FALSE(same_bits(table.sliced(vocab - 4, vocab - 2), old.sliced(vocab - 4, vocab - 2)));
  EXPECT_TRUE(same_bits(table.sliced(vocab - 2, vocab), old.sliced(vocab - 2, vocab)));
  EXPECT_TRUE(same_bits(table.sliced(0, vocab - 4), old.sliced(0, vocab - 4)));
}

}  // namespace
}  // namespace quern::convert
