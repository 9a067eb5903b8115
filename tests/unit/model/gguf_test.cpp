// Models written as GGUF and read again: every family computes the same from both formats, and files that do not
// describe a model are refused by the name of the key.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "autograd/graph.h"
#include "formats/gguf/writer.h"
#include "model/gguf_config.h"
#include "model/load.h"
#include "model/save.h"
#include "model/tensor_layout.h"
#include "support/temp_dir.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

using formats::GgufArray;
using formats::GgufContents;
using formats::GgufValue;

std::filesystem::path fresh_path(const std::string& suffix = ".gguf") {
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  std::string running = std::string(info->test_suite_name()) + "_" + info->name();
  std::ranges::replace(running, '/', '_');
  const std::filesystem::path path = test::process_temp_dir() / (running + suffix);
  std::filesystem::remove_all(path);
  return path;
}

Tensor logits_of(const Decoder& model) {
  const autograd::NoGrad no_grad;
  const Tensor tokens = random_tokens(2, 11, model.config().vocab_size, 5);
  return model.logits(model.hidden(tokens, nn::ForwardContext::causal(2, 11)));
}

std::filesystem::path write(const GgufContents& contents) {
  const std::filesystem::path path = fresh_path();
  formats::write_gguf(path, contents, null_progress()).value();
  return path;
}

// What files of every family can say: those of Gemma and SmolLM3 imply which layers differ.
ModelConfig writable_config(const std::string& family) {
  ModelConfig config = tiny_config(family);
  if (family == "gemma2" || family == "gemma3_text") {
    config.window = 5;
    config.full_layers = family == "gemma2" ? std::vector<int64_t>{1} : std::vector<int64_t>{};
  }
  if (family == "smollm3") {
    config.layers = 5;
    config.nope_layers = {3};
  }
  return config;
}

class EveryFamily : public testing::TestWithParam<std::string> {};

TEST_P(EveryFamily, ComputesTheSameFromGguf) {
  for (const bool tied : {false, true}) {
    ModelConfig config = writable_config(GetParam());
    config.tied_embeddings = tied;
    Decoder model = Decoder::create(config, 3).value();
    // Norms that are no plain ones: a mistaken offset or order of rows shows.
    model.visit([](const std::string& name, nn::Parameter& parameter) {
      if (!name.ends_with("norm.weight")) return;
      float at = 0.0f;
      for (float& weight : parameter.master().span<float>())
        weight += 0.1f * static_cast<float>(std::sin(at += 1.0f));
    });
    const auto contents = gguf_contents(model, DType::f32);
    ASSERT_TRUE(contents.ok()) << contents.error().to_string();
    const auto again = load_model(write(*contents));
    ASSERT_TRUE(again.ok()) << again.error().to_string();
    EXPECT_LE(max_difference(logits_of(*again), logits_of(model)), 1e-5);

    // And back to a folder, in which the weights lie as they did.
    const std::filesystem::path folder = fresh_path("_folder");
    ModelConfig back = again->config();
    EXPECT_EQ(back.family, config.family == "mistral" ? "llama" : config.family);
    save_model(*again, folder, DType::f32).value();
    const Decoder third = load_model(folder).value();
    EXPECT_EQ(third.config().rope.half_split, model.config().rope.half_split);
    EXPECT_EQ(third.config().norm_offset, model.config().norm_offset);
    EXPECT_LE(max_difference(logits_of(third), logits_of(model)), 1e-5);
  }
}

std::vector<std::string> family_names() {
  std::vector<std::string> names;
  for (const Family* family : families()) {
    const bool decodes = family->defaults().kind == Kind::decoder;
    if (decodes && !family->gguf.architecture.empty()) names.emplace_back(family->name);
  }
  return names;
}
INSTANTIATE_TEST_SUITE_P(Families, EveryFamily, testing::ValuesIn(family_names()),
                         [](const auto& family) { return family.param; });

TEST(GgufModel, KeepsBiasesWindowsAndScalings) {
  const auto round_trip = [](const ModelConfig& config) {
    const Decoder model = Decoder::create(config, 3).value();
    const auto contents = gguf_contents(model, DType::f32);
    EXPECT_TRUE(contents.ok()) << contents.error().to_string();
    Decoder again = load_model(write(*contents)).value();
    EXPECT_LE(max_difference(logits_of(again), logits_of(model)), 1e-5);
    return again.config();
  };
  ModelConfig llama = tiny_config("llama");
  llama.head_dim = 8;
  llama.qkv_bias = llama.output_bias = llama.mlp_bias = true;
  EXPECT_TRUE(round_trip(llama).mlp_bias);

  ModelConfig mistral = tiny_config("mistral");
  mistral.window = 5;
  EXPECT_EQ(round_trip(mistral).family, "mistral");

  ModelConfig qwen = tiny_config("qwen2");
  qwen.window = 5;
  qwen.full_layers = {1};
  EXPECT_EQ(round_trip(qwen).full_layers, std::vector<int64_t>{1});

  using ops::RopeScaling;
  for (const RopeScaling scaling : {RopeScaling::linear, RopeScaling::yarn, RopeScaling::llama3}) {
    ModelConfig scaled = llama;
    scaled.rope.scaling = scaling;
    scaled.rope.factor = 4.0;
    scaled.rope.original_positions = scaling == RopeScaling::linear ? 0 : 6;
    if (scaling == RopeScaling::yarn) scaled.rope.attention_factor = 1.25;
    round_trip(scaled);
  }
  ModelConfig published = llama;
  published.rope = {.theta = 5e5, .scaling = RopeScaling::llama3, .factor = 8.0, .original_positions = 8192};
  published.max_positions = 131072;
  EXPECT_EQ(round_trip(published).rope.scaling, RopeScaling::llama3) << "a folder can say what Llama 3 has";

  ModelConfig falcon = tiny_config("falcon");
  falcon.layout = nn::BlockLayout::parallel_norms;
  falcon.qkv_bias = true;
  EXPECT_EQ(round_trip(falcon).layout, nn::BlockLayout::parallel_norms);

  ModelConfig mpt = tiny_config("mpt");
  mpt.alibi_max_bias = 16.0;
  mpt.qkv_clip = 0.25;
  EXPECT_EQ(round_trip(mpt).alibi_max_bias, 16.0);
  EXPECT_EQ(round_trip(mpt).qkv_clip, 0.25);

  ModelConfig mixture = tiny_config("qwen2_moe");
  mixture.window = 5;
  mixture.full_layers = {1};
  EXPECT_EQ(round_trip(mixture).full_layers, std::vector<int64_t>{1});

  ModelConfig neox = tiny_config("gpt_neox");
  neox.rope.rotary = 2;
  EXPECT_EQ(round_trip(neox).layout, nn::BlockLayout::parallel_norms);
  neox.layout = nn::BlockLayout::pre_norm;
  EXPECT_EQ(round_trip(neox).layout, nn::BlockLayout::pre_norm);

  ModelConfig phi3 = tiny_config("phi3");
  phi3.head_dim = 8;
  phi3.rope.rotary = 6;
  phi3.rope.scaling = RopeScaling::longrope;
  phi3.rope.original_positions = 12;
  phi3.rope.factor = 2.0;
  phi3.rope.short_factors = {1.0, 1.5, 2.0};
  phi3.rope.long_factors = {1.25, 3.0, 9.0};
  EXPECT_EQ(round_trip(phi3).rope.long_factors, phi3.rope.long_factors);
}

// The bytes of tensor `name` cut into `pieces` by rows, or by experts, under names of their own.
void cut(GgufContents& contents, const std::string& name,
         const std::vector<std::pair<std::string, int64_t>>& pieces) {
  const auto at = std::ranges::find(contents.tensors, name, &formats::GgufEntry::name);
  ASSERT_NE(at, contents.tensors.end()) << name;
  const Tensor whole = at->tensor().value();
  contents.tensors.erase(at);
  int64_t row = 0;
  for (const auto& [piece, rows] : pieces) {
    Tensor part = whole.sliced(row, row + rows);
    if (part.shape().rank() == 3) part = part.reshaped({part.dim(1), part.dim(2)});
    contents.tensors.push_back({piece, part.shape(), part.dtype(), [part] { return Result<Tensor>(part); }});
    row += rows;
  }
  ASSERT_EQ(row, whole.dim(0)) << name;
}

TEST(GgufModel, ReadsMixturesWithOneTensorPerExpert) {
  const Decoder model = Decoder::create(writable_config("mixtral"), 3).value();
  GgufContents contents = gguf_contents(model, DType::f32).value();
  for (const std::string layer : {"blk.0.", "blk.1."}) {
    for (const std::string matrix : {"ffn_gate", "ffn_up", "ffn_down"}) {
      const std::string stem = layer + matrix;
      cut(contents, stem + "_exps.weight",
          {{stem + ".0.weight", 1}, {stem + ".1.weight", 1}, {stem + ".2.weight", 1}});
    }
  }
  const Decoder again = load_model(write(contents)).value();
  EXPECT_LE(max_difference(logits_of(again), logits_of(model)), 1e-5);

  std::erase_if(contents.tensors, [](const auto& entry) { return entry.name == "blk.1.ffn_up.2.weight"; });
  const auto without = load_model(write(contents));
  ASSERT_FALSE(without.ok());
  EXPECT_NE(without.error().message.find("1 missing: blk.1.ffn_up.2.weight"), std::string::npos)
      << without.error().message;
}

TEST(GgufModel, ReadsExpertsWhoseGatesLieBesideWhatTheyOpen) {
  const Decoder model = Decoder::create(writable_config("qwen3_moe"), 3).value();
  GgufContents contents = gguf_contents(model, DType::f32).value();
  for (const std::string layer : {"blk.0.", "blk.1."}) {
    std::vector<Tensor> halves;
    for (const std::string name : {"ffn_gate_exps.weight", "ffn_up_exps.weight"}) {
      const auto at = std::ranges::find(contents.tensors, layer + name, &formats::GgufEntry::name);
      halves.push_back(at->tensor().value());
      contents.tensors.erase(at);
    }
    const Tensor both({3, 16, 16}, DType::f32);
    for (int64_t row = 0; row < 6; ++row) {
      both.reshaped({6, 8, 16})
          .sliced(row, row + 1)
          .copy_from(halves[static_cast<size_t>(row % 2)].sliced(row / 2, row / 2 + 1));
    }
    contents.tensors.push_back({layer + "ffn_gate_up_exps.weight", both.shape(), both.dtype(),
                                [both] { return Result<Tensor>(both); }});
  }
  EXPECT_LE(max_difference(logits_of(load_model(write(contents)).value()), logits_of(model)), 1e-5);
}

TEST(GgufModel, ReadsQueriesKeysAndValuesJoinedOrNot) {
  // phi2 as it was first written.
  Decoder phi = Decoder::create(tiny_config("phi"), 3).value();
  phi.visit([](const std::string& name, nn::Parameter& parameter) {
    if (name.ends_with(".bias")) parameter.master().fill(0.1);
  });
  GgufContents contents = gguf_contents(phi, DType::f32).value();
  for (const std::string layer : {"blk.0.", "blk.1."}) {
    for (const std::string part : {".weight", ".bias"}) {
      std::vector<Tensor> parts;
      for (const std::string module : {"attn_q", "attn_k", "attn_v"}) {
        const auto at = std::ranges::find(contents.tensors, layer + module + part, &formats::GgufEntry::name);
        parts.push_back(at->tensor().value());
        contents.tensors.erase(at);
      }
      const Tensor whole = join({"", {"", "", ""}}, parts);
      contents.tensors.push_back({layer + "attn_qkv" + part, whole.shape(), whole.dtype(),
                                  [whole] { return Result<Tensor>(whole); }});
    }
  }
  const Decoder joined = load_model(write(contents)).value();
  EXPECT_TRUE(joined.config().qkv_bias);
  EXPECT_LE(max_difference(logits_of(joined), logits_of(phi)), 1e-5);

  const Decoder falcon = Decoder::create(tiny_config("falcon"), 3).value();
  contents = gguf_contents(falcon, DType::f32).value();
  for (const std::string layer : {"blk.0.", "blk.1."}) {
    cut(contents, layer + "attn_qkv.weight",
        {{layer + "attn_q.weight", 16}, {layer + "attn_k.weight", 8}, {layer + "attn_v.weight", 8}});
  }
  EXPECT_LE(max_difference(logits_of(load_model(write(contents)).value()), logits_of(falcon)), 1e-5);
}

TEST(GgufModel, TakesNoExpertsForNone) {
  GgufContents contents = gguf_contents(Decoder::create(tiny_config("llama"), 1).value(), DType::f32).value();
  contents.metadata.set("llama.expert_count", uint32_t{0});
  contents.metadata.set("llama.expert_used_count", uint32_t{0});
  contents.metadata.set("llama.attention.sliding_window", uint32_t{0});
  EXPECT_EQ(load_model(write(contents)).value().config().family, "llama");
}

TEST(GgufModel, RefusesToWriteWhatTheArchitectureCannotSay) {
  ModelConfig gemma = writable_config("gemma2");
  gemma.attention_scale = 0.3;
  ModelConfig phi = tiny_config("phi");
  phi.qk_norm = nn::QkNorm::head;
  EXPECT_FALSE(gguf_contents(Decoder::create(phi, 1).value(), DType::f32).ok());
  const auto contents = gguf_contents(Decoder::create(gemma, 1).value(), DType::f32);
  ASSERT_FALSE(contents.ok());
  EXPECT_NE(
      contents.error().message.find("a GGUF file of architecture 'gemma2' cannot say attention_scale = 0.3"),
      std::string::npos)
      << contents.error().message;
}

TEST(GgufModel, HoldsEncodersWithoutAHead) {
  ModelConfig config = tiny_config("bert");
  const Encoder model = Encoder::create(config, 3).value();
  const GgufContents contents = gguf_contents(model, DType::f32).value();
  EXPECT_EQ(contents.find("cls.weight"), nullptr);
  const std::filesystem::path path = write(contents);
  const Encoder again = load_encoder(path).value();
  EXPECT_EQ(again.config().token_types, 2);
  EXPECT_EQ(again.config().head_activation, ops::Activation::identity) << "files have no pooler";
  const autograd::NoGrad no_grad;
  const Tensor tokens = random_tokens(2, 11, config.vocab_size, 5), types = random_tokens(2, 11, 2, 6);
  const std::vector<int64_t> lengths{11, 7};
  const auto context = nn::ForwardContext::padded(lengths, 11);
  EXPECT_LE(max_difference(again.hidden(tokens, context, types), model.hidden(tokens, context, types)), 1e-6);
  // Not a decoder, as whoever generates with it is told.
  EXPECT_EQ(load_model(path).error().code, ErrorCode::conflict);

  config.head = Head::question_answering;
  config.head_activation = ops::Activation::identity;
  const auto refused = gguf_contents(Encoder::create(config, 3).value(), DType::f32);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("encoders without a head"), std::string::npos);
}

// Relatives of BERT share its architecture: positions from the first row on, and the way the file is made tells whose it is.
TEST(GgufModel, HoldsRelativesOfBert) {
  for (const auto& [name, tokenizer] :
       {std::pair{"roberta", "gpt2"}, {"xlm-roberta", "t5"}, {"distilbert", "bert"}}) {
    ModelConfig config = tiny_config(name);
    config.head = Head::masked_lm;  // left out
    config.head_activation = config.activation;
    const Encoder model = Encoder::create(config, 3).value();
    GgufContents contents = gguf_contents(model, DType::f32).value();
    contents.metadata.set("tokenizer.ggml.model", std::string(tokenizer));
    contents.metadata.set("tokenizer.ggml.padding_token_id",
                          static_cast<uint32_t>(std::max<int64_t>(config.pad_token, 0)));
    EXPECT_EQ(contents.metadata.get<std::string>("general.architecture").value(), "bert");
    EXPECT_EQ(contents.find("position_embd.weight")->shape, (Shape{config.max_positions, config.hidden}));
    EXPECT_GE(contents.metadata.get<int64_t>("tokenizer.ggml.token_type_count").value(), 1);
    const Encoder again = load_encoder(write(contents)).value();
    EXPECT_EQ(again.config().family, name);
    EXPECT_EQ(again.config().position_offset, 0);
    EXPECT_EQ(again.config().max_positions, config.max_positions);
    const autograd::NoGrad no_grad;
    const Tensor tokens = random_tokens(2, 11, config.vocab_size, 5);
    const std::vector<int64_t> lengths{11, 7};
    const auto context = nn::ForwardContext::padded(lengths, 11);
    const Tensor states = model.hidden(tokens, context);
    EXPECT_LE(max_difference(again.hidden(tokens, context), states), 1e-6) << name;

    const std::filesystem::path folder = fresh_path("_folder");
    const auto saved = save_model(again, folder, DType::f32);
    ASSERT_TRUE(saved.ok()) << name << ": " << saved.error().to_string();
    const Encoder third = load_encoder(folder).value();
    EXPECT_EQ(third.config().position_offset, tiny_config(name).position_offset);
    EXPECT_LE(max_difference(third.hidden(tokens, context), states), 1e-6) << name;
  }
}

TEST(GgufModel, RefusesFamiliesItHasNoArchitectureFor) {
  const auto contents = gguf_contents(Decoder::create(tiny_config("opt"), 1).value(), DType::f32);
  ASSERT_FALSE(contents.ok());
  EXPECT_EQ(contents.error().code, ErrorCode::unsupported);
  EXPECT_NE(contents.error().message.find("GGUF has no architecture for models of family 'opt'"),
            std::string::npos);
  EXPECT_EQ(contents.error().hint, "'quern convert --to hf' writes them as a folder");
  for (const char* family : {"albert", "electra", "mpnet", "deberta-v2"})
    EXPECT_EQ(gguf_contents(Encoder::create(tiny_config(family), 1).value(), DType::f32).error().code,
              ErrorCode::unsupported)
        << family;
}

TEST(GgufModel, MatricesAreOfTheDtypeAskedForVectorsAndPositionsF32) {
  const Decoder model = Decoder::create(tiny_config("gpt2"), 1).value();
  const GgufContents contents = gguf_contents(model, DType::bf16).value();
  for (const formats::GgufEntry& entry : contents.tensors) {
    const bool wide = entry.shape.rank() == 1 || entry.name == "position_embd.weight";
    EXPECT_EQ(entry.dtype, wide ? DType::f32 : DType::bf16) << entry.name;
  }
}

TEST(GgufModel, LoadsSplitFilesAndTrains) {
  const Decoder model = Decoder::create(tiny_config("llama"), 1).value();
  const GgufContents contents = gguf_contents(model, DType::f32).value();
  std::vector<formats::GgufTensorPlan> plans;
  for (const auto& entry : contents.tensors) plans.push_back({entry.name, entry.shape, entry.dtype});
  auto writer = formats::GgufWriter::create(fresh_path(), contents.metadata, plans, 3000).value();
  for (const auto& entry : contents.tensors) writer.add(entry.tensor().value()).value();
  writer.finish().value();
  ASSERT_GT(writer.paths().size(), 2u);
  Decoder again = load_model(writer.paths()[1], {.trainable = true}).value();
  EXPECT_LE(max_difference(logits_of(again), logits_of(model)), 1e-5);
  // The masters are its own: writing them must not touch the file.
  again.visit([](const std::string&, nn::Parameter& parameter) { parameter.master().fill(0.5); });
}

// A tiny file of `family`, with the chance to change it.
GgufContents tiny_file(const std::string& family = "llama") {
  ModelConfig config = writable_config(family);
  config.tied_embeddings = false;
  return gguf_contents(Decoder::create(config, 1).value(), DType::f32).value();
}

std::string error_of(const GgufContents& contents) {
  const auto model = load_model(write(contents));
  return model.ok() ? "none" : model.error().to_string();
}

struct Attack {
  const char* key;
  GgufValue value;
  const char* expected;  // in the message
};
void PrintTo(const Attack& attack, std::ostream* out) { *out << attack.key; }

class HostileMetadata : public testing::TestWithParam<Attack> {};

TEST_P(HostileMetadata, IsRefusedByTheNameOfTheKey) {
  const Attack& attack = GetParam();
  GgufContents contents = tiny_file();
  contents.metadata.set(attack.key, attack.value);
  const std::string error = error_of(contents);
  EXPECT_NE(error.find(attack.expected), std::string::npos) << error;
}

template <class T>
GgufValue list(std::vector<T> values) {
  return GgufArray(std::move(values));
}

INSTANTIATE_TEST_SUITE_P(
    Incidents, HostileMetadata,
    testing::Values(
        // llama.cpp #25821 and #26051: more blocks than the arrays for them had room.
        Attack{"llama.block_count", uint32_t{513},
               "llama.block_count is u32 513, expected an integer from 1 to 512"},
        Attack{"llama.block_count", uint32_t{0}, "llama.block_count is u32 0"},
        Attack{"llama.block_count", int32_t{-1}, "llama.block_count is i32 -1"},
        Attack{"llama.block_count", uint64_t{UINT64_MAX}, "llama.block_count is u64 18446744073709551615"},
        Attack{"llama.block_count", std::string("two"), "llama.block_count is string \"two\""},
        // Divisions by zero, and shapes from products that wrap.
        Attack{"llama.attention.head_count", uint32_t{0}, "llama.attention.head_count is u32 0, expected"},
        Attack{"llama.attention.head_count_kv", uint32_t{0}, "llama.attention.head_count_kv is u32 0"},
        Attack{"llama.attention.head_count_kv", uint32_t{5}, "expected an integer from 1 to 4"},
        Attack{"llama.attention.head_count_kv", uint32_t{3}, "heads (4) must be a multiple of kv_heads (3)"},
        Attack{"llama.embedding_length", uint64_t{1} << 42, "llama.embedding_length is u64 4398046511104"},
        Attack{"llama.feed_forward_length", uint64_t{1} << 63, "llama.feed_forward_length"},
        Attack{"llama.context_length", uint32_t{0}, "llama.context_length is u32 0"},
        Attack{"llama.attention.key_length", uint32_t{0}, "llama.attention.key_length is u32 0"},
        Attack{"llama.attention.value_length", uint32_t{8}, "llama.attention.value_length is u32 8"},
        Attack{"llama.vocab_size", uint32_t{4800},
               "llama.vocab_size is u32 4800, expected an integer from 48 to 48"},
        // llama.cpp #26690: elements of an array of another type than was assumed.
        Attack{"llama.attention.head_count", list<float>({4.0f, 4.0f}),
               "llama.attention.head_count is array of 2 f32"},
        Attack{"llama.attention.head_count", list<uint32_t>({4}), "an integer for each of 2 layers"},
        Attack{"llama.attention.head_count", list<uint32_t>({4, 2}), "differs from layer to layer"},
        Attack{"llama.attention.head_count", list<std::string>({"4", "4"}), "array of 2 string"},
        Attack{"llama.attention.sliding_window_pattern", list<float>({1.0f, 0.0f}),
               "a bool for each of 2 layers"},
        Attack{"llama.attention.sliding_window_pattern", list<bool>({true}), "a bool for each of 2 layers"},
        Attack{"llama.attention.sliding_window", int64_t{-4}, "llama.attention.sliding_window is i64 -4"},
        Attack{"llama.attention.layer_norm_rms_epsilon", 0.0f, "layer_norm_rms_epsilon is f32 0"},
        Attack{"llama.attention.layer_norm_rms_epsilon", std::numeric_limits<float>::quiet_NaN(),
               "is f32 nan"},
        Attack{"llama.rope.freq_base", std::numeric_limits<float>::infinity(),
               "llama.rope.freq_base is f32 inf"},
        Attack{"llama.rope.freq_base", -1.0f, "llama.rope.freq_base is f32 -1"},
        Attack{"llama.rope.freq_base", 1.0f, "theta > 1, got 1"},
        Attack{"llama.rope.dimension_count", uint32_t{6}, "llama.rope.dimension_count is u32 6"},
        Attack{"llama.rope.dimension_count", uint32_t{3}, "even number of rotary channels, got 3"},
        Attack{"llama.rope.scaling.type", std::string("spiral"), "none | linear | yarn | longrope"},
        Attack{"llama.rope.scaling.factor", -2.0f, "llama.rope.scaling.factor is f32 -2"},
        Attack{"llama.expert_count", uint32_t{8},
               "llama.expert_used_count is missing, expected an integer from 1 to 8"},
        Attack{"llama.expert_count", uint32_t{1u << 20}, "llama.expert_count is u32 1048576"},
        Attack{"general.architecture", std::string("mamba"), "Quern knows: gpt2, llama, qwen2"},
        Attack{"general.architecture", uint32_t{3}, "general.architecture is u32 3"},
        Attack{"tokenizer.ggml.eos_token_id", std::string("</s>"), "tokenizer.ggml.eos_token_id is string"}));

TEST(GgufModel, NamesAKeyThatIsMissing) {
  GgufContents contents = tiny_file();
  contents.metadata.erase("llama.block_count");
  EXPECT_NE(error_of(contents).find("llama.block_count is missing"), std::string::npos);
}

TEST(GgufModel, NamesTensorsThatDoNotFit) {
  GgufContents contents = tiny_file();
  std::erase_if(contents.tensors, [](const auto& entry) { return entry.name == "blk.1.ffn_up.weight"; });
  const auto add = [&](const char* name, const Tensor& tensor) {
    std::erase_if(contents.tensors, [&](const auto& entry) { return entry.name == name; });
    contents.tensors.push_back(
        {name, tensor.shape(), tensor.dtype(), [tensor] { return Result<Tensor>(tensor); }});
  };
  add("blk.7.ffn_up.weight", Tensor::zeros({24, 16}));
  add("blk.0.attn_k.weight", Tensor::zeros({16, 16}));
  add("blk.0.attn_norm.weight", Tensor::zeros({16}, DType::i32));
  const std::string error = error_of(contents);
  EXPECT_NE(error.find("1 missing: blk.1.ffn_up.weight"), std::string::npos) << error;
  EXPECT_NE(error.find("blk.0.attn_k.weight (expected [8, 16], got f32[16, 16])"), std::string::npos)
      << error;
  EXPECT_NE(error.find("blk.0.attn_norm.weight (expected [16], got i32[16])"), std::string::npos) << error;
  EXPECT_NE(error.find("1 unexpected: blk.7.ffn_up.weight"), std::string::npos) << error;
  // More layers than tensors: what a small file makes a loader allocate for nothing.
  contents = tiny_file();
  contents.metadata.set("llama.block_count", uint32_t{512});
  EXPECT_NE(error_of(contents).find("4590 missing: blk.2.attn_norm.weight"), std::string::npos)
      << error_of(contents);
}

TEST(GgufModel, RefusesFrequenciesThatAreNone) {
  for (const Tensor& frequencies : {Tensor::full({2}, 0.0), Tensor::full({2}, NAN), Tensor::full({3}, 1.0)}) {
    GgufContents contents = tiny_file();
    contents.tensors.push_back({"rope_freqs.weight", frequencies.shape(), DType::f32,
                                [frequencies] { return Result<Tensor>(frequencies); }});
    EXPECT_NE(error_of(contents).find("rope_freqs.weight is f32["), std::string::npos) << error_of(contents);
  }
}

}  // namespace
}  // namespace quern::model
