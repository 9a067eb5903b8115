#include "model/family.h"

#include <gtest/gtest.h>

#include <set>

#include "model/structure.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

using nlohmann::json;

json llama_json() {
  return {{"model_type", "llama"},    {"vocab_size", 100},      {"hidden_size", 32},
          {"intermediate_size", 64},  {"num_hidden_layers", 2}, {"num_attention_heads", 4},
          {"num_key_value_heads", 2}, {"rms_norm_eps", 1e-5},   {"max_position_embeddings", 256}};
}

std::string error_of(const json& config) {
  const auto result = read_config(config, "config.json");
  return result.ok() ? "" : result.error().to_string();
}

TEST(Family, EveryParameterOfAModelHasOneName) {
  for (const Family* family : families()) {
    for (const bool tied : {false, true}) {
      ModelConfig config = tiny_config(std::string(family->name));
      config.tied_embeddings = tied;
      std::multiset<std::string> wanted, named;
      nn::visit(*make_structure(config).value(),
                [&](const std::string& name, const nn::Parameter&) { wanted.insert(name); });
      for (const TensorName& name : family->tensors(config)) {
        named.insert(name.parameters.begin(), name.parameters.end());
      }
      EXPECT_EQ(named, wanted) << family->name;
    }
  }
}

TEST(Family, UnknownModelTypeNamesTheKnown) {
  const auto config = read_config({{"model_type", "mamba"}}, "config.json");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().code, ErrorCode::unsupported);
  EXPECT_NE(config.error().message.find("'mamba'"), std::string::npos);
  EXPECT_NE(config.error().hint.find("gpt2, llama"), std::string::npos);
}

TEST(ReadConfig, TakesBothGenerationsOfRopeSettings) {
  json before = llama_json(), after = llama_json();
  before["rope_theta"] = 5e5;
  before["rope_scaling"] = {{"type", "llama3"},
                            {"factor", 8.0},
                            {"low_freq_factor", 1.0},
                            {"high_freq_factor", 4.0},
                            {"original_max_position_embeddings", 64}};
  before["torch_dtype"] = "bfloat16";
  after["rope_parameters"] = {{"rope_type", "llama3"},   {"rope_theta", 5e5},
                              {"factor", 8.0},           {"low_freq_factor", 1.0},
                              {"high_freq_factor", 4.0}, {"original_max_position_embeddings", 64}};
  after["dtype"] = "bfloat16";
  ModelConfig one = read_config(before, "config.json").value(),
              two = read_config(after, "config.json").value();
  EXPECT_EQ(one.rope.scaling, ops::RopeScaling::llama3);
  EXPECT_EQ(one.rope.theta, 5e5);
  EXPECT_EQ(one.rope.original_positions, 64);
  EXPECT_EQ(one.dtype, DType::bf16);
  EXPECT_EQ(fields_of(one).to_yaml(), fields_of(two).to_yaml());
}

TEST(ReadConfig, FillsInWhatAConfigLeavesOut) {
  json gpt2 = {{"model_type", "gpt2"}, {"vocab_size", 100}, {"n_embd", 32},      {"n_layer", 2},
               {"n_head", 4},          {"n_positions", 16}, {"n_inner", nullptr}};
  const ModelConfig config = read_config(gpt2, "config.json").value();
  EXPECT_EQ(config.intermediate, 128);
  EXPECT_EQ(config.head_dim, 8);
  EXPECT_EQ(config.kv_heads, 4);
  EXPECT_TRUE(config.tied_embeddings);
  EXPECT_EQ(config.bos_token, -1);
  EXPECT_TRUE(config.eos_tokens.empty());
}

TEST(ReadConfig, TakesOneEndTokenOrSeveral) {
  json config = llama_json();
  config["eos_token_id"] = 7;
  EXPECT_EQ(read_config(config, "config.json").value().eos_tokens, std::vector<int64_t>{7});
  config["eos_token_id"] = {7, 9};
  EXPECT_EQ(read_config(config, "config.json").value().eos_tokens, (std::vector<int64_t>{7, 9}));
}

TEST(ReadConfig, SaysWhichKeyIsWrong) {
  const auto with = [](const char* key, const json& value) {
    json config = llama_json();
    config[key] = value;
    return error_of(config);
  };
  EXPECT_NE(with("hidden_size", "wide").find("config.json: hidden_size: expected an integer, got \"wide\""),
            std::string::npos)
      << with("hidden_size", "wide");
  EXPECT_NE(with("hidden_size", nullptr).find("hidden_size: expected an integer of at least 1, got nothing"),
            std::string::npos);
  EXPECT_NE(with("hidden_act", "mish").find("hidden_act: expected gelu"), std::string::npos);
  EXPECT_NE(with("mlp_bias", 1).find("mlp_bias: expected true or false, got 1"), std::string::npos);
  EXPECT_NE(with("num_key_value_heads", 3).find("heads (4) must be a multiple of kv_heads (3)"),
            std::string::npos);
  EXPECT_NE(
      with("rope_scaling", {{"rope_type", "proportional"}}).find("rope_scaling: expected a rope_type of"),
      std::string::npos);
  EXPECT_NE(with("rope_scaling", {{"rope_type", "yarn"}, {"factor", "4"}})
                .find("rope_scaling: factor: expected a number"),
            std::string::npos);
  EXPECT_NE(with("head_dim", 7).find("even number of rotary channels, got 7"), std::string::npos)
      << with("head_dim", 7);
  EXPECT_NE(with("num_hidden_layers", 1e9).find("num_hidden_layers: expected an integer"), std::string::npos);
  EXPECT_NE(with("num_hidden_layers", 1000000000).find("layers must be"), std::string::npos);
  EXPECT_NE(with("eos_token_id", {{"a", 1}}).find("eos_token_id"), std::string::npos);
  EXPECT_NE(with("hidden_size", int64_t{1} << 40).find("hidden must be in [1, 2^24], got 1099511627776"),
            std::string::npos);
  EXPECT_NE(error_of(json::array()).find("expected a JSON object"), std::string::npos);
  EXPECT_NE(error_of({{"hidden_size", 4}}).find("model_type"), std::string::npos);
}

TEST(ReadConfig, TakesLayersFromTheListOrTheRuleOfTheFamily) {
  const auto config_of = [](const char* family, const json& more) {
    json config = llama_json();
    config["model_type"] = family;
    config["num_hidden_layers"] = 4;
    config.update(more);
    return read_config(config, "config.json").value();
  };
  using Layers = std::vector<int64_t>;
  const json types = {
      {"layer_types", {"full_attention", "sliding_attention", "sliding_attention", "full_attention"}}};
  EXPECT_EQ(config_of("gemma2", json::object()).full_layers, (Layers{1, 3}));
  EXPECT_EQ(config_of("gemma2", types).full_layers, (Layers{0, 3}));
  EXPECT_EQ(config_of("gemma3_text", {{"sliding_window_pattern", 3}}).full_layers, (Layers{2}));
  EXPECT_EQ(config_of("qwen2", {{"use_sliding_window", true}, {"max_window_layers", 3}}).full_layers,
            (Layers{0, 1, 2}));
  EXPECT_EQ(config_of("qwen2", {{"sliding_window", 9}}).window, 0);
  const json windows{{"use_sliding_window", true}, {"sliding_window", 9}, {"max_window_layers", 3}};
  EXPECT_EQ(config_of("qwen2_moe", windows).full_layers, (Layers{1, 3})) << "transformers' own rule";
  EXPECT_EQ(config_of("qwen3_moe", windows).full_layers, Layers());
  for (const char* family : {"qwen2_moe", "qwen3_moe"}) {
    EXPECT_EQ(config_of(family, windows).window, 9);
    EXPECT_EQ(config_of(family, {{"sliding_window", 9}}).window, 0);
  }
  EXPECT_EQ(config_of("mistral", json::object()).window, 4096);
  EXPECT_EQ(config_of("mistral", {{"sliding_window", nullptr}}).window, 0);
  EXPECT_EQ(config_of("smollm3", json::object()).nope_layers, (Layers{3}));
  EXPECT_EQ(config_of("smollm3", {{"no_rope_layers", {0, 1, 1, 0}}}).nope_layers, (Layers{0, 3}));
}

TEST(ReadConfig, TakesBothGenerationsOfTwoThetas) {
  json before = llama_json();
  before["model_type"] = "gemma3_text";
  before["sliding_window"] = 8;
  before["layer_types"] = {"sliding_attention", "full_attention"};
  json after = before;
  before["rope_theta"] = 5e5;
  before["rope_local_base_freq"] = 300.0;
  before["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 8.0}};
  after["rope_parameters"] = {
      {"full_attention", {{"rope_type", "linear"}, {"factor", 8.0}, {"rope_theta", 5e5}}},
      {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 300.0}}}};
  ModelConfig one = read_config(before, "config.json").value(),
              two = read_config(after, "config.json").value();
  EXPECT_EQ(one.local_rope_theta, 300.0);
  EXPECT_EQ(one.rope.theta, 5e5);
  EXPECT_EQ(one.rope.factor, 8.0);
  EXPECT_EQ(fields_of(one).to_yaml(), fields_of(two).to_yaml());
}

TEST(ReadConfig, SaysWhichLayersAreWrong) {
  const auto error = [](const char* family, const json& more) {
    json config = llama_json();
    config["model_type"] = family;
    config.update(more);
    return error_of(config);
  };
  EXPECT_NE(
      error("gemma2", {{"layer_types", {"full_attention"}}}).find("layer_types: expected a list of 2 layers"),
      std::string::npos);
  EXPECT_NE(error("gemma2", {{"layer_types", {"full_attention", "chunked_attention"}}})
                .find("layer_types: expected full_attention | sliding_attention"),
            std::string::npos);
  EXPECT_NE(error("smollm3", {{"no_rope_layers", {1, 2}}}).find("no_rope_layers: expected a list of 0 and 1"),
            std::string::npos);
  EXPECT_NE(error("gemma3_text", {{"rope_parameters", {{"sliding_attention", 5}}}})
                .find("rope_parameters: sliding_attention: expected an object, got 5"),
            std::string::npos);
  EXPECT_NE(error("smollm3", {{"num_hidden_layers", 1000000000}}).find("layers must be"), std::string::npos);
}

TEST(ReadConfig, RefusesGpt2VariantsItDoesNotCompute) {
  json config = {{"model_type", "gpt2"},
                 {"vocab_size", 100},
                 {"n_embd", 32},
                 {"n_layer", 2},
                 {"n_head", 4},
                 {"n_positions", 16},
                 {"scale_attn_by_inverse_layer_idx", true}};
  EXPECT_NE(error_of(config).find("scale_attn_by_inverse_layer_idx: expected false"), std::string::npos);
}

TEST(ReadConfig, TakesFalconsOfEveryGeneration) {
  const auto falcon = [](const json& more) {
    json config = llama_json();
    config["model_type"] = "falcon";
    config.update(more);
    return read_config(config, "config.json").value();
  };
  using nn::BlockLayout;
  const ModelConfig first = falcon(json::object());
  EXPECT_EQ(first.kv_heads, 1);
  EXPECT_EQ(first.layout, BlockLayout::parallel);
  EXPECT_EQ(first.max_positions, 256);
  const ModelConfig web =
      falcon({{"alibi", true}, {"multi_query", false}, {"parallel_attn", false}, {"bias", true}});
  EXPECT_EQ(web.kv_heads, 4);
  EXPECT_EQ(web.layout, BlockLayout::pre_norm);
  EXPECT_EQ(web.positions, Positions::alibi);
  EXPECT_TRUE(web.alibi_scaled && web.qkv_bias && web.mlp_bias);
  json groups{{"new_decoder_architecture", true}, {"num_kv_heads", 2}};
  EXPECT_EQ(falcon(groups).kv_heads, 2);
  EXPECT_EQ(falcon(groups).layout, BlockLayout::parallel_norms);
  groups["num_ln_in_parallel_attn"] = 1;
  EXPECT_EQ(falcon(groups).layout, BlockLayout::parallel);
}

TEST(ReadConfig, TakesBothGenerationsOfPartialRotation) {
  const auto rotary = [](const char* family, const json& more) {
    json config = llama_json();
    config["model_type"] = family;
    config["num_key_value_heads"] = 4;
    config.update(more);
    return read_config(config, "config.json").value().rope;
  };
  EXPECT_EQ(rotary("phi", json::object()).rotary, 4);
  EXPECT_EQ(rotary("phi", {{"partial_rotary_factor", 0.75}}).rotary, 6);
  EXPECT_EQ(rotary("gpt_neox", json::object()).rotary, 2);
  EXPECT_EQ(rotary("gpt_neox", {{"rotary_pct", 0.5}, {"rotary_emb_base", 500}}).rotary, 4);
  EXPECT_EQ(rotary("gpt_neox", {{"rotary_pct", 0.5}, {"rotary_emb_base", 500}}).theta, 500.0);
  const json after{
      {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 500}, {"partial_rotary_factor", 0.5}}}};
  EXPECT_EQ(rotary("gpt_neox", after).rotary, 4);
  EXPECT_EQ(rotary("gpt_neox", after).theta, 500.0);
}

TEST(ReadConfig, DynamicNtkReachesPastThePositionsOfTheUnscaledModel) {
  json config = llama_json();
  config["rope_scaling"] = {{"type", "dynamic"}, {"factor", 2.5}};
  const ModelConfig read = read_config(config, "config.json").value();
  EXPECT_EQ(read.rope.original_positions, 256);
  EXPECT_EQ(read.max_positions, 640);
  config["rope_scaling"]["factor"] = 0.5;
  EXPECT_NE(error_of(config).find("rope_scaling: factor: expected at least 1, got 0.5"), std::string::npos)
      << error_of(config);
  config["rope_scaling"] = {{"type", "axial"}, {"factor", 2.5}};
  EXPECT_NE(error_of(config).find("expected a rope_type of default | none | linear | dynamic"),
            std::string::npos)
      << error_of(config);
}

TEST(ReadConfig, RefusesFormsOfAFamilyThatItDoesNotCompute) {
  const auto error = [](const json& config) { return error_of(config); };
  json mpt{{"model_type", "mpt"}, {"vocab_size", 100}, {"d_model", 32},
           {"n_heads", 4},        {"n_layers", 2},     {"max_seq_len", 64}};
  EXPECT_EQ(error(mpt), "");
  mpt["attn_config"] = {{"qk_ln", true}};
  EXPECT_NE(error(mpt).find("attn_config: qk_ln: expected false (Quern has no other form), got true"),
            std::string::npos)
      << error(mpt);
  json opt = llama_json();
  opt["model_type"] = "opt";
  opt["ffn_dim"] = 64;
  EXPECT_EQ(error(opt), "");
  opt["_remove_final_layer_norm"] = true;
  EXPECT_NE(error(opt).find("_remove_final_layer_norm: expected false (Quern has no other form), got true"),
            std::string::npos)
      << error(opt);
}

TEST(WriteConfig, ReadsBackTheSame) {
  for (const Family* family : families()) {
    ModelConfig config = tiny_config(std::string(family->name)).resolved();
    config.eos_tokens = {1};
    config.dtype = DType::f16;
    ModelConfig again = read_config(json(write_config(config).value()), "config.json").value();
    EXPECT_EQ(fields_of(again).to_yaml(), fields_of(config).to_yaml());
  }
}

TEST(WriteConfig, ReadsBackEveryRopeScaling) {
  using ops::RopeScaling;
  for (const RopeScaling scaling : {RopeScaling::linear, RopeScaling::ntk, RopeScaling::yarn,
                                    RopeScaling::llama3, RopeScaling::longrope}) {
    ModelConfig config = tiny_config("llama");
    config.head_dim = 8;
    config.rope.rotary = 4;
    config.rope.theta = 777.0;
    config.rope.scaling = scaling;
    config.rope.factor = 4.0;
    config.rope.original_positions = scaling == RopeScaling::linear ? 0 : 6;
    if (scaling == RopeScaling::yarn) config.rope.attention_factor = 1.25;
    if (scaling == RopeScaling::longrope) config.rope.short_factors = config.rope.long_factors = {1.0, 2.5};
    const auto written = write_config(config);
    ASSERT_TRUE(written.ok()) << written.error().to_string();
    const ModelConfig again = read_config(json(written.value()), "config.json").value();
    EXPECT_EQ(again.rope.scaling, scaling);
    EXPECT_EQ(again.rope.original_positions, config.rope.original_positions);
    EXPECT_EQ(again.max_positions, config.max_positions);
    EXPECT_EQ(again.rope.rotary, 4);
    EXPECT_EQ(again.rope.attention_factor, config.rope.attention_factor);
    EXPECT_EQ(again.rope.long_factors, config.rope.long_factors);
  }
}

TEST(WriteConfig, ReadsBackLayersOfBothKinds) {
  for (const char* family : {"qwen2", "qwen3", "gemma2", "gemma3_text", "smollm3"}) {
    ModelConfig config = tiny_config(family);
    config.layers = 3;
    config.window = 6;
    config.full_layers = {0, 2};
    if (config.family == "smollm3") config.nope_layers = {1};
    ModelConfig wanted = config.resolved();
    const auto written = write_config(config);
    ASSERT_TRUE(written.ok()) << written.error().to_string();
    ModelConfig again = read_config(json(written.value()), "config.json").value();
    EXPECT_EQ(fields_of(again).to_yaml(), fields_of(wanted).to_yaml());
  }
}

TEST(WriteConfig, NamesWhatTheFamilyCannotExpress) {
  ModelConfig config = tiny_config("llama");
  config.window = 8;
  const auto written = write_config(config);
  ASSERT_FALSE(written.ok());
  EXPECT_NE(written.error().message.find("'llama' cannot say window = 8"), std::string::npos)
      << written.error().message;
}

}  // namespace
}  // namespace quern::model
