// What is left of a decoder computes what the whole did without the parts that are gone.
#include "convert/prune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <numeric>

#include "model/family.h"
#include "model/load.h"
#include "model/save.h"
#include "unit/convert/tiny_folder.h"

namespace quern::convert {
namespace {

using ::testing::HasSubstr;

model::ModelConfig sizes_of(const std::string& family) {
  model::ModelConfig config = model::find_family(family).value()->defaults();
  config.vocab_size = 61;
  config.layers = 3;
  config.hidden = 24;
  config.intermediate = 40;
  config.heads = 4;
  if (family != "gpt2") config.kv_heads = 2;
  config.max_positions = 64;
  config.init_std = 0.2;
  return config;
}

model::Decoder whole_model(const std::string& family) {
  return model::Decoder::create(sizes_of(family), 5).value();
}

std::vector<int64_t> first_of(int64_t count) {
  std::vector<int64_t> all(static_cast<size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::vector<KeptLayer> every_layer(int64_t layers) {
  std::vector<KeptLayer> kept;
  for (int64_t layer = 0; layer < layers; ++layer) kept.push_back({.layer = layer});
  return kept;
}

// Parameters whose name has `part` in it, changed by `change`.
void edit(model::Decoder& model, const std::string& part, const std::function<void(Tensor&)>& change) {
  model.visit([&](const std::string& name, nn::Parameter& parameter) {
    if (name.find(part) == std::string::npos) return;
    Tensor values = parameter.master().detached().clone();
    change(values);
    parameter.assign(values);
  });
}

// Columns [begin, end) of matrices are 0.
std::function<void(Tensor&)> without_columns(int64_t begin, int64_t end) {
  return [=](Tensor& x) {
    for (int64_t r = 0; r < x.dim(0); ++r)
      for (int64_t c = begin; c < end; ++c) x.data<float>()[r * x.dim(1) + c] = 0.0f;
  };
}

TEST(Prune, AllOfItIsTheSame) {
  const model::Decoder model = whole_model("llama");
  EXPECT_EQ(largest_difference(logits_of(kept_part(model, every_layer(3)).value()), logits_of(model)), 0.0);
}

TEST(Prune, ALayerThatIsGoneChangesNothingMore) {
  model::Decoder model = whole_model("llama");
  const model::Decoder part = kept_part(model, {{.layer = 0}, {.layer = 2}}).value();
  EXPECT_EQ(part.config().layers, 2);
  for (const char* out : {"blocks.1.attention.o.weight", "blocks.1.mlp.down.weight"})
    edit(model, out, [](Tensor& x) { x.zero(); });
  EXPECT_LE(largest_difference(logits_of(part), logits_of(model)), 1e-5);
}

TEST(Prune, KeepsWhatLayersHaveOfTheirOwn) {
  model::ModelConfig config = sizes_of("smollm3");
  config.nope_layers = {1, 2};
  const model::Decoder model = model::Decoder::create(config, 5).value();
  const model::Decoder part = kept_part(model, {{.layer = 0}, {.layer = 2}}).value();
  EXPECT_EQ(part.config().nope_layers, std::vector<int64_t>{1});
}

// Of families whose norms, biases and key heads differ: what goes out of the parts that are gone is 0.
TEST(Prune, ChannelsAndHeadsThatAreGoneAddNothing) {
  for (const char* family : {"llama", "qwen2", "qwen3", "olmo2", "gemma2", "gpt2", "phi"}) {
    SCOPED_TRACE(family);
    model::Decoder model = whole_model(family);
    const model::ModelConfig& c = model.config();
    std::vector<KeptLayer> kept = every_layer(3);
    for (KeptLayer& layer : kept) layer.channels = first_of(25);
    const model::Decoder narrow = kept_part(model, kept).value();
    EXPECT_EQ(narrow.config().intermediate, 25);
    edit(model, "mlp.down.weight", without_columns(25, 40));
    EXPECT_LE(largest_difference(logits_of(narrow), logits_of(model)), 1e-4);
    // The last key head with its queries.
    if (std::string(family) == "olmo2") continue;  // its norms are over all heads together
    for (KeptLayer& layer : kept) layer = {.layer = layer.layer, .groups = first_of(c.kv_heads - 1)};
    const model::Decoder fewer = kept_part(model, kept).value();
    const int64_t shared = c.heads / c.kv_heads;
    EXPECT_EQ(fewer.config().heads, c.heads - shared);
    EXPECT_EQ(fewer.config().kv_heads, c.kv_heads - 1);
    EXPECT_EQ(fewer.config().head_dim, c.head_dim);
    edit(model, "attention.o.weight", without_columns((c.heads - shared) * c.head_dim, c.heads * c.head_dim));
    EXPECT_LE(largest_difference(logits_of(fewer), logits_of(model)), 1e-4);
  }
}

TEST(Prune, WhatIsLeftIsWrittenAndReadAgain) {
  for (const char* family : {"llama", "qwen2", "qwen3", "olmo2"}) {
    SCOPED_TRACE(family);
    const model::Decoder model = whole_model(family);
    std::vector<KeptLayer> kept{{.layer = 0}, {.layer = 2}};
    for (KeptLayer& layer : kept) layer.channels = {1, 3, 5, 39}, layer.groups = {1};
    const model::Decoder part = kept_part(model, kept).value();
    const std::filesystem::path folder = fresh_path(family);
    ASSERT_TRUE(model::save_model(part, folder).ok());
    const model::Decoder again = model::load_model(folder).value();
    EXPECT_EQ(again.config().intermediate, 4);
    EXPECT_EQ(again.config().kv_heads, 1);
    EXPECT_LE(largest_difference(logits_of(part), logits_of(again)), 1e-6);
  }
}

// config.json of GPT-2 has no width of a head.
TEST(Prune, HeadsThatAFamilyCannotSayAreRefusedWhenWritten) {
  const model::Decoder model = whole_model("gpt2");
  std::vector<KeptLayer> kept = every_layer(3);
  for (KeptLayer& layer : kept) layer.groups = {0, 2, 3};
  const auto refused = model::save_model(kept_part(model, kept).value(), fresh_path("gpt2"));
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("head_dim"));
}

TEST(Prune, RefusesLayersThatAreNotThere) {
  const model::Decoder model = whole_model("llama");
  for (const std::vector<KeptLayer>& kept :
       {std::vector<KeptLayer>{}, {{.layer = 3}}, {{.layer = 1}, {.layer = 0}}, {{.layer = -1}}})
    EXPECT_EQ(kept_part(model, kept).error().code, ErrorCode::invalid_argument);
  const model::Decoder slopes = whole_model("mpt");
  EXPECT_EQ(kept_part(slopes, {{.layer = 0, .groups = {0}}}).error().code, ErrorCode::unsupported);
}

TEST(MakeSparse, ClearsTheSmallestWeightsOfEachMatrix) {
  model::Decoder model = whole_model("llama");
  const SparsityReport report = make_sparse(model, {.share = 0.25}).value();
  EXPECT_EQ(report.matrices, 3 * 7);
  EXPECT_EQ(report.zeros * 4, report.weights);
  const model::Decoder before = whole_model("llama");
  std::map<std::string, Tensor> was;
  nn::visit(before, [&](const std::string& name, const nn::Parameter& p) { was[name] = p.master(); });
  nn::visit(model, [&](const std::string& name, const nn::Parameter& p) {
    const bool touched = name.starts_with("blocks.") && p.is_matrix();
    float cleared = 0.0f, least = 1e9f;
    int64_t zeros = 0;
    for (int64_t i = 0; i < p.master().numel(); ++i) {
      const float now = p.master().data<float>()[i], old = was.at(name).data<float>()[i];
      if (now == 0.0f && old != 0.0f) {
        cleared = std::max(cleared, std::fabs(old));
        ++zeros;
      } else {
        EXPECT_EQ(now, old);
        least = std::min(least, std::fabs(old));
      }
    }
    EXPECT_EQ(zeros, touched ? p.master().numel() / 4 : 0) << name;
    if (touched) {
      EXPECT_LE(cleared, least) << name;
    }
  });
}

TEST(MakeSparse, KeepsTheLargestOfNeighbours) {
  model::Decoder model = whole_model("llama");
  edit(model, "blocks.0.mlp.up.weight", [](Tensor& x) {
    const std::vector<float> row{-4, 1, 2, -3, 1, 1, 1, 1};
    std::copy(row.begin(), row.end(), x.data<float>());
  });
  EXPECT_EQ(make_sparse(model, {.left = 2, .of = 4}).value().zeros * 2,
            make_sparse(model, {.left = 2, .of = 4}).value().weights);
  nn::visit(model, [&](const std::string& name, const nn::Parameter& p) {
    if (name != "blocks.0.mlp.up.weight") return;
    const std::vector<float> row(p.master().data<float>(), p.master().data<float>() + 8);
    EXPECT_EQ(row, (std::vector<float>{-4, 0, 0, -3, 0, 0, 1, 1}));
  });
  const auto refused = make_sparse(model, {.left = 3, .of = 7});
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("which 7 does not divide"));
}

}  // namespace
}  // namespace quern::convert
