#include "convert/file_types.h"

#include <gtest/gtest.h>

#include <map>

namespace quern::convert {
namespace {

// The types of one module in all layers, as letters of a word: "6" Q6_K, "4" Q4_K and so on.
std::string types(std::string_view type, const std::string& module, const ModelFacts& facts) {
  static const std::map<DType, char> kLetters{{DType::q2_k, '2'}, {DType::q3_k, '3'},   {DType::q4_k, '4'},
                                              {DType::q5_k, '5'}, {DType::q6_k, '6'},   {DType::q8_0, '8'},
                                              {DType::q4_0, 'a'}, {DType::iq4_xs, 'x'}, {DType::q4_1, 'b'}};
  std::string word;
  for (int64_t layer = 0; layer < facts.layers; ++layer) {
    const std::string name = "blk." + std::to_string(layer) + "." + module + ".weight";
    word += kLetters.at(type_in_file(*find_file_type(type).value(), name, {512, 512}, DType::f16, facts));
  }
  return word;
}

// Recorded from llama-quantize with a model of 16 layers and two queries to a key.
TEST(FileTypes, GiveMoreBitsWhereOtherProgramsDo) {
  const ModelFacts facts{.layers = 16, .queries_per_key = 2};
  EXPECT_EQ(types("q4_k_m", "ffn_down", facts), "6644644644644666");
  EXPECT_EQ(types("q4_k_m", "attn_v", facts), "6644644644644666");
  EXPECT_EQ(types("q4_k_m", "attn_q", facts), "4444444444444444");
  EXPECT_EQ(types("q5_k_m", "ffn_down", facts), "6655655655655666");
  EXPECT_EQ(types("q4_k_s", "ffn_down", facts), "5544444444444444");
  EXPECT_EQ(types("q4_k_s", "attn_v", facts), "5555444444444444");
  EXPECT_EQ(types("q3_k_m", "ffn_down", facts), "5444444444444444");
  EXPECT_EQ(types("q3_k_m", "attn_v", facts), "5544444444444444");
  EXPECT_EQ(types("q3_k_m", "attn_output", facts), "4444444444444444");
  EXPECT_EQ(types("q3_k_l", "ffn_down", facts), "5555555555555555");
  EXPECT_EQ(types("q2_k", "attn_v", facts), "3333333333333333");
  EXPECT_EQ(types("iq4_xs", "ffn_down", facts), "55xxxxxxxxxxxxxx");
  EXPECT_EQ(types("q4_0", "ffn_down", facts), "aaaaaaaaaaaaaaaa");
}

TEST(FileTypes, DependOnSharedKeysAndImportance) {
  ModelFacts facts{.layers = 16, .queries_per_key = 4};
  EXPECT_EQ(types("q2_k", "attn_v", facts), "4444444444444444");
  EXPECT_EQ(types("iq4_xs", "attn_v", facts), "5555555555555555");
  facts.importance = true;
  EXPECT_EQ(types("iq4_xs", "ffn_down", facts), "xxxxxxxxxxxxxxxx");
  EXPECT_EQ(types("q4_0", "ffn_down", facts), "bbaaaaaaaaaaaaaa");
}

// As llama-quantize does with 8 experts, whose attention is small beside them.
TEST(FileTypes, SpareTheAttentionOfEightExperts) {
  const ModelFacts facts{.architecture = "llama", .layers = 16, .experts = 8, .queries_per_key = 4};
  EXPECT_EQ(types("q4_k_m", "ffn_down_exps", facts), "6644644644644666");
  EXPECT_EQ(types("q4_k_m", "ffn_up_exps", facts), "4444444444444444");
  EXPECT_EQ(types("q4_k_m", "attn_q", facts), "4444444444444444");
  EXPECT_EQ(types("q2_k", "ffn_down_exps", facts), "3333333333333333");
  for (const char* type : {"q2_k", "q3_k_m", "q4_k_s", "q4_k_m"}) {
    EXPECT_EQ(types(type, "attn_v", facts), "8888888888888888") << type;
    EXPECT_EQ(types(type, "attn_k", facts), "8888888888888888") << type;
    EXPECT_EQ(types(type, "attn_output", facts), "5555555555555555") << type;
  }
  EXPECT_EQ(types("q3_k_l", "attn_output", facts), "3333333333333333");
}

TEST(FileTypes, TakeFp4ForExpertsAlone) {
  const FileType& type = *find_file_type("mxfp4").value();
  const ModelFacts mixture{.layers = 1, .experts = 4}, dense{.layers = 1};
  EXPECT_EQ(type_in_file(type, "blk.0.ffn_up_exps.weight", {4, 32, 32}, DType::f16, mixture), DType::mxfp4);
  EXPECT_EQ(type_in_file(type, "blk.0.attn_q.weight", {32, 32}, DType::f16, mixture), DType::q8_0);
  EXPECT_EQ(type_in_file(type, "blk.0.attn_q.weight", {32, 32}, DType::f16, dense), DType::mxfp4);
}

// As llama-quantize does.
TEST(FileTypes, GiveFalconLess) {
  const ModelFacts facts{.architecture = "falcon", .layers = 16, .queries_per_key = 8};
  EXPECT_EQ(types("q4_k_m", "ffn_down", facts), "6544544544544555");
  EXPECT_EQ(types("q3_k_m", "ffn_down", facts), "5433433433433444");
  EXPECT_EQ(types("q4_k_s", "ffn_down", facts), "4444444444444444");
  EXPECT_EQ(types("q3_k_m", "attn_output", facts), "3333333333333333");
  EXPECT_EQ(type_in_file(*find_file_type("q4_k_m").value(), "output.weight", {512, 512}, DType::f16, facts),
            DType::q8_0);
}

TEST(FileTypes, TreatATiedEmbeddingAsTheOutput) {
  const FileType& type = *find_file_type("q4_k_m").value();
  ModelFacts facts{.layers = 16};
  const Shape shape{1000, 512};
  EXPECT_EQ(type_in_file(type, "token_embd.weight", shape, DType::f16, facts), DType::q4_k);
  EXPECT_EQ(type_in_file(type, "output.weight", shape, DType::f16, facts), DType::q6_k);
  facts.tied = true;
  EXPECT_EQ(type_in_file(type, "token_embd.weight", shape, DType::f16, facts), DType::q6_k);
}

TEST(FileTypes, KeepWhatIsNoMatrixOfWeights) {
  const FileType& type = *find_file_type("q4_0").value();
  for (const char* name : {"blk.0.attn_q.bias", "position_embd.weight", "blk.0.attn_q_norm.weight"}) {
    EXPECT_EQ(type_in_file(type, name, {32, 32}, DType::f32, {.layers = 1}), DType::f32) << name;
  }
  // What decides on experts, and the gate of one, which is a row.
  EXPECT_EQ(type_in_file(type, "blk.0.ffn_gate_inp.weight", {8, 32}, DType::f32, {.layers = 1}), DType::f32);
  EXPECT_EQ(type_in_file(type, "blk.0.ffn_gate_inp_shexp.weight", {1, 32}, DType::f32, {.layers = 1}),
            DType::f32);
  EXPECT_EQ(type_in_file(type, "token_types.weight", {2, 32}, DType::f32, {.layers = 1}), DType::f32);
  EXPECT_EQ(type_in_file(type, "output_norm.weight", {32}, DType::f32, {.layers = 1}), DType::f32);
}

TEST(FileTypes, FallBackToSmallerBlocks) {
  EXPECT_EQ(fitting(DType::q4_k, 512), DType::q4_k);
  const std::map<DType, DType> expected{{DType::q2_k, DType::q4_0}, {DType::q3_k, DType::q4_0},
                                        {DType::q4_k, DType::q5_0}, {DType::q5_k, DType::q5_1},
                                        {DType::q6_k, DType::q8_0}, {DType::iq4_xs, DType::iq4_nl}};
  for (const auto& [wanted, instead] : expected) EXPECT_EQ(fitting(wanted, 576), instead) << name_of(wanted);
  EXPECT_EQ(fitting(DType::q4_k, 40), DType::f16);
  EXPECT_EQ(fitting(DType::q8_0, 40), DType::f16);
}

TEST(FileTypes, AreFoundByName) {
  EXPECT_EQ(find_file_type("Q4_K_M").value()->id, 15u);
  EXPECT_EQ(find_file_type("q5_k").value()->name, "q5_k_m");
  const auto unknown = find_file_type("q9_9");
  EXPECT_EQ(unknown.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(unknown.error().hint.find("q4_k_m"), std::string::npos);
  const auto misspelt = find_file_type("q4_km");
  EXPECT_EQ(misspelt.error().message, "there is no type 'q4_km'");
  EXPECT_TRUE(
      misspelt.error().hint.starts_with("did you mean 'q4_k_m'? types that can be written: f32, f16"));
  const auto only_read = find_file_type("iq2_xs");
  EXPECT_EQ(only_read.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(only_read.error().message, "the type 'iq2_xs' can be read, but not written");
}

TEST(FileTypes, SingleTensorsTakeTypesThatCanBeWritten) {
  EXPECT_EQ(find_tensor_type("Q6_K").value(), DType::q6_k);
  EXPECT_EQ(find_tensor_type("f16").value(), DType::f16);
  for (const char* name : {"zz", "iq2_xs", "i32", "q4_k_m"}) {
    const Error error = find_tensor_type(name).error();
    EXPECT_EQ(error.code, ErrorCode::invalid_argument) << name;
    EXPECT_NE(error.hint.find("Q6_K"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace quern::convert
