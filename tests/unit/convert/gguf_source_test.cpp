#include "convert/gguf_source.h"

#include <gtest/gtest.h>

#include "convert/hf_target.h"
#include "infer/loaded_model.h"
#include "model/load.h"
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

TEST(Convert, BackToAFolderEveryBitIsThere) {
  const std::filesystem::path folder = tiny_folder(), again = fresh_path("again");
  save_as_hf(to_gguf(folder, std::nullopt), again, std::nullopt, false, null_progress()).value();
  EXPECT_EQ(read_file(again / "model.safetensors").value(), read_file(folder / "model.safetensors").value());
  const text::Tokenizer before = text::Tokenizer::load(folder).value(),
                        after = text::Tokenizer::load(again).value();
  EXPECT_EQ(after.encode("Hello, world <|endoftext|>"), before.encode("Hello, world <|endoftext|>"));
  EXPECT_EQ(after.chat_template(), before.chat_template());
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
