// Rows that a LoRA has of its own: what they make is what a model makes whose tables hold them.
#include "model/token_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/graph.h"
#include "base/json.h"
#include "base/rng.h"
#include "model/lora.h"
#include "support/temp_dir.h"
#include "unit/model/central_differences.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

using formats::PeftConfig;
using formats::PeftFolder;

const std::vector<int32_t> kIds = {7, 2, 47};

// Tied and untied heads, scaled embeddings with a soft cap, a head bias.
struct Kind {
  const char* name;
  ModelConfig config;
};

std::vector<Kind> kinds() {
  std::vector<Kind> all{{"tied", tiny_config("llama")},
                        {"untied", tiny_config("llama")},
                        {"scaled", tiny_config("gemma2")},
                        {"biased", tiny_config("phi")}};
  all[0].config.tied_embeddings = true;
  all[1].config.tied_embeddings = false;
  return all;
}

// An adapter of random values in `dtype`.
nn::LoraAdapter adapter_of(const Decoder& model, DType dtype = DType::f32) {
  const PeftConfig settings{.rank = 2, .targets = {std::string(kAllLinear)}, .token_rows = {{"", kIds}}};
  nn::LoraAdapter adapter = make_lora(model, model.config(), settings, 3).value();
  uint64_t stream = 0;
  adapter.visit([&](const std::string& name, nn::Parameter& parameter) {
    Rng rng(9, stream++);
    // Rows as long as those that norms make: short ones are turned far by a small step.
    const double std = name.ends_with(nn::TokenRows::kPeftName) ? 1.0 : 0.15;
    Tensor values(parameter.shape(), DType::f32);
    for (float& value : values.span<float>()) value = static_cast<float>(std * rng.normal());
    parameter.assign(values.to(dtype));
    parameter.set_trainable(true);
  });
  return adapter;
}

Tensor logits_behind(const Decoder& model, const nn::Adapter* adapter, const Tensor& tokens) {
  const autograd::NoGrad no_grad;
  nn::ForwardContext context = nn::ForwardContext::causal(tokens.dim(0), tokens.dim(1));
  const nn::AdapterRows all{adapter};
  if (adapter != nullptr) context.adapters = std::span(&all, 1);
  return model.logits(model.hidden(tokens, context), context.adapters);
}

TEST(TokenRows, BeginAsThoseOfTheModel) {
  for (const Kind& kind : kinds()) {
    const Decoder model = Decoder::create(kind.config, 1).value();
    const PeftConfig settings{.rank = 2, .targets = {std::string(kAllLinear)}, .token_rows = {{"", kIds}}};
    const nn::LoraAdapter adapter = make_lora(model, model.config(), settings, 3).value();
    const Tensor tokens = random_tokens(2, 6, model.config().vocab_size, 1);
    EXPECT_LE(max_difference(logits_behind(model, &adapter, tokens), logits_behind(model, nullptr, tokens)),
              1e-5)
        << kind.name;
  }
}

TEST(TokenRows, MergeIntoTheTables) {
  for (const Kind& kind : kinds()) {
    Decoder model = Decoder::create(kind.config, 1).value();
    nn::LoraAdapter adapter = adapter_of(model);
    adapter.freeze();
    const Tensor tokens = random_tokens(2, 6, model.config().vocab_size, 1);
    tokens.data<int32_t>()[3] = kIds[0];
    const Tensor plain = logits_behind(model, nullptr, tokens),
                 wanted = logits_behind(model, &adapter, tokens);
    merge_lora(model, adapter);
    EXPECT_LE(max_difference(logits_behind(model, nullptr, tokens), wanted), 1e-4) << kind.name;
    EXPECT_GT(max_difference(plain, wanted), 0.1) << kind.name;
  }
}

TEST(TokenRows, HaveTheGradientOfTheirFunction) {
  for (const Kind& kind : kinds()) {
    Decoder model = Decoder::create(kind.config, 1, DType::f64).value();
    nn::set_trainable(model, false);
    nn::LoraAdapter adapter = adapter_of(model, DType::f64);
    const Tensor tokens = random_tokens(2, 5, model.config().vocab_size, 1),
                 targets = random_tokens(2, 5, model.config().vocab_size, 2);
    for (const size_t i : {1, 4, 8}) tokens.data<int32_t>()[i] = kIds[i % 3];
    targets.data<int32_t>()[2] = kIds[1];
    const nn::AdapterRows everywhere{&adapter};
    for (const bool of_rows : {false, true}) {
      const auto loss = [&] {
        nn::ForwardContext context = nn::ForwardContext::causal(2, 5);
        context.adapters = std::span(&everywhere, 1);
        const Tensor states = model.hidden(tokens, context);
        return of_rows ? model.row_losses(states, targets, context.adapters)
                       : model.loss(states, targets, {}, context.adapters);
      };
      nn::clear_grads(adapter);
      const Tensor value = loss();
      autograd::backward(value, Tensor::full(value.shape(), 0.1, DType::f64));
      expect_differences_of_values(adapter, 5, kind.name, [&] {
        double sum = 0.0;
        const Tensor parts = loss();
        for (const double part : parts.span<double>()) sum += part;
        return 0.1 * sum;
      });
    }
  }
}

// In one pass beside other adapters and none.
TEST(TokenRows, AreThoseOfTheirRowsAlone) {
  const Decoder model = Decoder::create(kinds()[1].config, 1).value();
  nn::LoraAdapter adapter = adapter_of(model);
  adapter.freeze();
  const Tensor tokens = random_tokens(3, 4, model.config().vocab_size, 1);
  for (int32_t& id : tokens.span<int32_t>().subspan(2, 8)) id = kIds[1];
  const Tensor with = logits_behind(model, &adapter, tokens), without = logits_behind(model, nullptr, tokens);
  const autograd::NoGrad no_grad;
  nn::ForwardContext context = nn::ForwardContext::causal(3, 4);
  const nn::AdapterRows second{&adapter, 4, 8};
  context.adapters = std::span(&second, 1);
  const Tensor mixed = model.logits(model.hidden(tokens, context), context.adapters);
  for (int64_t row = 0; row < 3; ++row)
    EXPECT_LE(max_difference(mixed.sliced(row, row + 1), (row == 1 ? with : without).sliced(row, row + 1)),
              1e-5);
  EXPECT_GT(max_difference(with.sliced(1, 2), without.sliced(1, 2)), 0.1);
}

TEST(TokenRows, AreWrittenAsPeftReadsThem) {
  for (const Kind& kind : kinds()) {
    const Decoder model = Decoder::create(kind.config, 1).value();
    const nn::LoraAdapter adapter = adapter_of(model);
    const std::filesystem::path folder = test::process_temp_dir() / kind.name;
    save_lora(adapter, model.config(), {.targets = {std::string(kAllLinear)}}, folder).value();
    const auto settings = read_json_file(folder / formats::kPeftConfigFile).value();
    const bool tied = kind.config.tied_embeddings;
    if (tied) {
      EXPECT_EQ(settings["trainable_token_indices"], nlohmann::json(kIds)) << kind.name;
    } else {
      const nlohmann::json both = {{"embed_tokens", kIds}, {"lm_head", kIds}};
      EXPECT_EQ(settings["trainable_token_indices"], both) << kind.name;
    }
    const PeftFolder files = PeftFolder::open(folder).value();
    EXPECT_NE(files.weights.find("base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta"),
              nullptr);
    EXPECT_EQ(files.weights.find("base_model.model.lm_head.token_adapter.trainable_tokens_delta") == nullptr,
              tied);
    const nn::LoraAdapter again = load_lora(model, model.config(), files).value();
    const Tensor tokens = random_tokens(2, 6, model.config().vocab_size, 1);
    EXPECT_TRUE(same_bits(logits_behind(model, &again, tokens), logits_behind(model, &adapter, tokens)));
  }
}

TEST(TokenRows, OfAnotherModelAreRefused) {
  const Decoder model = Decoder::create(tiny_config("llama"), 1).value();
  const auto made = [&](std::vector<int32_t> ids) {
    return make_lora(model, model.config(),
                     {.targets = {std::string(kAllLinear)}, .token_rows = {{"", std::move(ids)}}}, 1);
  };
  EXPECT_THAT(made({48}).error().message,
              testing::HasSubstr("expected tokens from 0 to 47, each once, got 48"));
  EXPECT_THAT(made({3, 3}).error().message, testing::HasSubstr("each once, got 3, 3"));
  const std::filesystem::path folder = test::process_temp_dir() / "rows";
  save_lora(adapter_of(model), model.config(), {.targets = {std::string(kAllLinear)}}, folder).value();
  PeftFolder files = PeftFolder::open(folder).value();
  const auto refused = [&](std::map<std::string, std::vector<int32_t>> rows) {
    files.config.token_rows = std::move(rows);
    const auto adapter = load_lora(model, model.config(), files);
    EXPECT_FALSE(adapter.ok());
    return adapter.ok() ? "" : adapter.error().message;
  };
  const auto good = files.config.token_rows;
  EXPECT_THAT(refused({}), testing::HasSubstr("its settings name 0"));
  auto other = good;
  other.begin()->second = {1, 2};
  EXPECT_THAT(refused(other), testing::HasSubstr("trainable_tokens_delta: expected [2, "));
  other.begin()->second = {1, 2, 48};
  EXPECT_THAT(refused(other), testing::HasSubstr("each once, got 1, 2, 48"));
  other = good;
  other["wte"] = kIds;
  other.erase(good.begin()->first);
  EXPECT_THAT(refused(other), testing::HasSubstr("it has rows of tokens in wte"));
}

}  // namespace
}  // namespace quern::model
