#include "model/flops.h"

#include <gtest/gtest.h>

#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

Decoder structure(const ModelConfig& config) { return Decoder::create(config).value(); }

TEST(Flops, ProductsLeaveOutTablesThatAreOnlyLookedUp) {
  ModelConfig config = tiny_config("llama");
  const int64_t blocks = 2 * (2 * 16 * 16 + 2 * 8 * 16 + 3 * 24 * 16), table = 48 * 16;
  EXPECT_EQ(product_parameters(structure(config)), blocks + table);
  config.tied_embeddings = true;
  EXPECT_EQ(product_parameters(structure(config)), blocks + table);
  EXPECT_EQ(product_parameters(structure(tiny_config("gpt2"))), 2 * (4 * 16 * 16 + 2 * 24 * 16) + table);
}

TEST(Flops, PrefillAndDecodeAddUpToTheWhole) {
  const Decoder model = structure(tiny_config("llama"));
  const double whole = forward_flops(model, 0, 20, 20);
  EXPECT_DOUBLE_EQ(forward_flops(model, 0, 13, 13) + forward_flops(model, 13, 7, 7), whole);
  EXPECT_DOUBLE_EQ(whole - forward_flops(model, 0, 20, 1), 2.0 * 19 * 48 * 16);
}

// One token at position t sees t + 1 keys, each worth a product with q and one with the weights of v.
TEST(Flops, AttentionCountsTheKeysSeen) {
  ModelConfig config = tiny_config("gpt2");
  const double products = 2.0 * static_cast<double>(product_parameters(structure(config)));
  EXPECT_DOUBLE_EQ(forward_flops(structure(config), 9, 1, 1), products + 2 * 10 * 4.0 * 16);
  config.window = 3;
  EXPECT_DOUBLE_EQ(forward_flops(structure(config), 9, 1, 1), products + 2 * 3 * 4.0 * 16);
  EXPECT_DOUBLE_EQ(forward_flops(structure(config), 1, 1, 1), products + 2 * 2 * 4.0 * 16);
}

TEST(Flops, LayersWithoutAWindowSeeAllKeys) {
  ModelConfig config = tiny_config("gpt2");
  const double products = 2.0 * static_cast<double>(product_parameters(structure(config)));
  config.window = 3;
  config.full_layers = {1};
  EXPECT_DOUBLE_EQ(forward_flops(structure(config), 9, 1, 1), products + (3 + 10) * 4.0 * 16);
}

TEST(Flops, TrainingIsThreeForwardPasses) {
  const Decoder model = structure(tiny_config("gpt2"));
  EXPECT_DOUBLE_EQ(training_flops_per_token(model, 20) * 20, 3 * forward_flops(model, 0, 20, 20));
}

TEST(Flops, CountOfTheExpertsThoseATokenMeets) {
  ModelConfig c = tiny_config("mixtral");
  const Decoder model = Decoder::create(c).value();
  const int64_t expert = 3 * c.hidden * c.intermediate;
  EXPECT_EQ(product_parameters(model) - active_product_parameters(model), c.layers * (3 - 2) * expert);
  EXPECT_EQ(forward_flops(model, 0, 1, 0),
            2.0 * static_cast<double>(active_product_parameters(model) - c.vocab_size * c.hidden) +
                4.0 * static_cast<double>(c.hidden * c.layers));
}

}  // namespace
}  // namespace quern::model
