#include "convert/gguf_source.h"

#include <gtest/gtest.h>

#include "convert/hf_target.h"
#include "infer/embed.h"
#include "infer/loaded_model.h"
#include "model/load.h"
#include "support/source_dir.h"
#include "unit/convert/tiny_folder.h"

namespace quern::convert {
namespace {

std::filesystem::path to_gguf(const std::filesystem::path& source, std::optional<DType> dtype) {
  const std::filesystem::path path = fresh_path("model.gguf");
  formats::write_gguf(path, open_as_gguf(source, dtype).value(), null_progress()).value();
  return path;
}

TEST(Convert, AFolderAndItsGgufSpeakTheSame) {
  const std::filesystem::path folder = tiny_folder(), file = to_gguf(folder, std::nullopt);
  const infer::LoadedModel before = infer::open_model(folder, DType::f32).value(),
                           after = infer::open_model(file, DType::f32).value();
  EXPECT_LE(largest_difference(logits_of(after.model), logits_of(before.model)), 1e-5);
  for (const char* text : {"Hello, world 123", "<|endoftext|>", " naïve \n\n😀"}) {
    EXPECT_EQ(after.tokenizer.encode(text), before.tokenizer.encode(text));
  }
  EXPECT_EQ(after.tokenizer.chat_template(), before.tokenizer.chat_template());
  EXPECT_EQ(after.model.config().eos_tokens, before.model.config().eos_tokens) << "the second as end of turn";
}

// Configs that were copied from larger models name tokens that these had.
TEST(Convert, LeavesOutEndTokensThatTheVocabularyHasNot) {
  const std::filesystem::path folder = tiny_folder();
  auto config = nlohmann::ordered_json::parse(read_file(folder / "config.json").value());
  config["eos_token_id"] = {50256, 1};
  ASSERT_TRUE(write_file_atomic(folder / "config.json", config.dump()).ok());
  const auto converted = infer::open_model(to_gguf(folder, std::nullopt), DType::f32);
  ASSERT_TRUE(converted.ok()) << converted.error().to_string();
  for (const int64_t end : converted->model.config().eos_tokens)
    EXPECT_LT(end, converted->tokenizer.vocab_size());
}

TEST(Convert, BackToAFolderEveryBitIsThere) {
  const std::filesystem::path folder = tiny_folder(), again = fresh_path("again");
  save_as_hf(to_gguf(folder, std::nullopt), again, std::nullopt, false, null_progress()).value();
  EXPECT_EQ(read_file(again / "model.safetensors").value(), read_file(folder / "model.safetensors").value());
  const text::Tokenizer before = text::Tokenizer::load(folder).value(),
                        after = text::Tokenizer::load(again).value();
  EXPECT_EQ(after.encode("Hello, world <|endoftext|>"), before.encode("Hello, world <|endoftext|>"));
  EXPECT_EQ(after.chat_template(), before.chat_template());
}

TEST(Convert, AnEncoderEmbedsTheSameFromAFolderAndFromGguf) {
  const std::filesystem::path folder =
      std::filesystem::path(QUERN_SOURCE_DIR) / "tests" / "golden" / "encoder_texts";
  const std::vector<std::string> texts{"The miller grinds grain.", "A wind that never waits"};
  const auto embedded = [&](const std::filesystem::path& path) {
    const infer::SentenceForm form = *infer::read_sentence_form(path).value();
    EXPECT_EQ(form.pooling, std::vector{infer::Pooling::mean});
    EXPECT_TRUE(form.normalize);
    EXPECT_EQ(form.longest, 24);
    const infer::LoadedEncoder loaded = infer::open_encoder(path, DType::f32).value();
    const infer::EncoderSession session(loaded, form.longest);
    return infer::embed(session, texts, form, infer::TooLong::refuse).value();
  };
  const std::filesystem::path file = to_gguf(folder, std::nullopt), again = fresh_path("again");
  save_as_hf(file, again, std::nullopt, false, null_progress()).value();
  const auto wanted = embedded(folder);
  for (const auto& got : {embedded(file), embedded(again)}) {
    for (size_t i = 0; i < texts.size(); ++i) {
      for (size_t c = 0; c < wanted[i].size(); ++c) EXPECT_NEAR(got[i][c], wanted[i][c], 1e-6);
    }
  }
}

TEST(SentenceForm, SaysInGgufWhatFilesOfOtherProgramsImply) {
  formats::GgufMetadata metadata;
  metadata.set("general.architecture", std::string("bert"));
  infer::write_sentence_form({.pooling = {infer::Pooling::cls}, .normalize = true}, metadata).value();
  EXPECT_EQ(metadata.get<int64_t>("bert.pooling_type").value(), 2);
  EXPECT_EQ(metadata.entries().size(), 2u) << "no keys of our own";
  const auto refused = infer::write_sentence_form({.pooling = {infer::Pooling::max}}, metadata);
  EXPECT_EQ(refused.error().code, ErrorCode::unsupported);
}

TEST(Convert, ChangesTheDtypeOfMatricesAlone) {
  const std::filesystem::path file = to_gguf(tiny_folder(), DType::f32);
  const formats::GgufContents contents = open_as_gguf(file, DType::bf16).value();
  for (const formats::GgufEntry& entry : contents.tensors) {
    EXPECT_EQ(entry.dtype, entry.shape.rank() > 1 ? DType::bf16 : DType::f32) << entry.name;
    EXPECT_EQ(entry.tensor().value().dtype(), entry.dtype) << entry.name;
  }
  EXPECT_EQ(contents.metadata.get<uint64_t>("general.file_type").value(), 32u);
}

TEST(Convert, ReplacesNothingButAModelFolder) {
  const std::filesystem::path source = tiny_folder(), target = fresh_path("target");
  make_directories(target).value();
  EXPECT_EQ(save_as_hf(source, target, std::nullopt, false, null_progress()).error().code,
            ErrorCode::conflict);
  EXPECT_EQ(save_as_hf(source, target, std::nullopt, true, null_progress()).error().code, ErrorCode::conflict)
      << "no model is there";
  write_file_atomic(target / "config.json", "{}").value();
  EXPECT_TRUE(save_as_hf(source, target, DType::bf16, true, null_progress()).ok());
  EXPECT_EQ(model::load_config(target).value().dtype, DType::bf16);
}

TEST(Convert, LeavesNothingBehindAnError) {
  const std::filesystem::path target = fresh_path("target");
  EXPECT_EQ(save_as_hf(fresh_path("nowhere"), target, std::nullopt, false, null_progress()).error().code,
            ErrorCode::not_found);
  const std::filesystem::path source = tiny_folder();
  std::filesystem::remove(source / "tokenizer.json");
  EXPECT_FALSE(save_as_hf(source, target, std::nullopt, false, null_progress()).ok());
  EXPECT_FALSE(std::filesystem::exists(target));
}

TEST(Convert, NamesModelsByTheirPlace) {
  EXPECT_EQ(model_name("runs/story/model"), "story");
  EXPECT_EQ(model_name("runs/story/model/"), "story");
  EXPECT_EQ(model_name("models/smollm2"), "smollm2");
}

}  // namespace
}  // namespace quern::convert
