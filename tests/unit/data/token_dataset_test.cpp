#include "data/token_dataset.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/file.h"
#include "base/rng.h"
#include "data/token_writer.h"
#include "support/temp_dir.h"

namespace quern::data {
namespace {

std::vector<std::vector<int32_t>> documents_of(const TokenDataset& dataset) {
  std::vector<std::vector<int32_t>> documents;
  for (int64_t i = 0; i < dataset.document_count(); ++i) {
    auto& document = documents.emplace_back(static_cast<size_t>(dataset.document_length(i)));
    dataset.read(dataset.document_begin(i), document);
  }
  return documents;
}

std::string write(const test::TempDir& folder, const std::vector<std::vector<int32_t>>& documents,
                  int64_t vocab_size) {
  const std::string path = (folder / "a.tokens").string();
  auto writer = TokenWriter::create(path, vocab_size, 42).value();
  for (const auto& document : documents) writer.add(document, 10).value();
  writer.finish().value();
  return path;
}

TEST(TokenDataset, ReadsWhatWasWritten) {
  const test::TempDir folder;
  for (int64_t vocab_size : {100, 65536, 65537, 1000000}) {
    Rng rng(static_cast<uint64_t>(vocab_size), 0);
    for (int count : {0, 1, 7, 100}) {
      std::vector<std::vector<int32_t>> documents(static_cast<size_t>(count));
      for (auto& document : documents)
        for (size_t i = rng.below(9); i > 0; --i)
          document.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(vocab_size))));
      if (count == 7) documents[3] = {static_cast<int32_t>(vocab_size - 1)};
      const TokenDataset dataset = TokenDataset::open(write(folder, documents, vocab_size)).value();
      EXPECT_EQ(documents_of(dataset), documents);
      EXPECT_EQ(dataset.source_bytes(), static_cast<uint64_t>(10 * count));
      EXPECT_EQ(dataset.key(), 42u);
      if (count == 7) {
        EXPECT_EQ(dataset.max_token(), vocab_size - 1);
      }
      EXPECT_EQ(documents_of(TokenDataset::from_documents(documents)), documents);
    }
  }
}

std::vector<TokenDocument> examples_of(const TokenDataset& dataset) {
  std::vector<TokenDocument> examples;
  for (int64_t i = 0; i < dataset.document_count(); ++i) {
    TokenDocument& example = examples.emplace_back();
    example.tokens.resize(static_cast<size_t>(dataset.document_length(i)));
    example.learnt.resize(example.tokens.size());
    dataset.read(dataset.document_begin(i), example.tokens);
    dataset.read_learnt(dataset.document_begin(i), example.learnt);
    example.value = dataset.value(i);
  }
  return examples;
}

std::string write_examples(const test::TempDir& folder, TokenContent content,
                           const std::vector<TokenDocument>& examples) {
  const std::string path = (folder / "examples.tokens").string();
  auto writer = TokenWriter::create(path, 100, 1, content).value();
  for (const TokenDocument& example : examples) writer.add(example, 3).value();
  writer.finish().value();
  return path;
}

TEST(TokenDataset, KeepsWhatIsLearnt) {
  const test::TempDir folder;
  Rng rng(1, 0);
  for (const TokenContent content :
       {TokenContent::supervised, TokenContent::preferences, TokenContent::unpaired}) {
    for (const size_t count : {0, 2, 6, 40}) {
      std::vector<TokenDocument> examples(count);
      for (TokenDocument& example : examples) {
        for (size_t i = rng.below(20); i > 0; --i) {
          example.tokens.push_back(static_cast<int32_t>(rng.below(100)));
          example.learnt.push_back(static_cast<uint8_t>(rng.below(2)));
        }
        if (content != TokenContent::supervised) example.value = static_cast<float>(rng.uniform());
      }
      const TokenDataset dataset = TokenDataset::open(write_examples(folder, content, examples)).value();
      EXPECT_EQ(dataset.content(), content);
      EXPECT_TRUE(examples_of(dataset) == examples);
      EXPECT_TRUE(examples_of(TokenDataset::from_examples(content, examples)) == examples);
    }
  }
}

TEST(TokenDataset, RefusesExamplesThatAreDamaged) {
  const test::TempDir folder;
  const std::vector<TokenDocument> pair = {{{1, 2, 3}, {0, 1, 1}, 0.5f}, {{4, 5}, {0, 1}, 0.5f}};
  const std::string bytes = read_file(write_examples(folder, TokenContent::preferences, pair)).value();
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(TokenDataset::open(folder.write("cut.tokens", bytes.substr(0, size))).ok()) << size;
  for (size_t bit = 0; bit < bytes.size() * 8; bit += 5) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(TokenDataset::open(folder.write("flipped.tokens", flipped)).ok()) << bit;
  }
  EXPECT_FALSE(TokenDataset::open(write_examples(folder, TokenContent::preferences, {pair[0]})).ok());
  const TokenDocument endless{{1, 2}, {0, 1}, std::numeric_limits<float>::infinity()};
  EXPECT_FALSE(TokenDataset::open(write_examples(folder, TokenContent::unpaired, {endless})).ok());
}

TEST(TokenDataset, RefusesEveryTruncationAndEveryThirdFlippedBit) {
  const test::TempDir folder;
  const std::string bytes = read_file(write(folder, {{1, 2, 3}, {}, {4, 5}}, 100)).value();
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(TokenDataset::open(folder.write("cut.tokens", bytes.substr(0, size))).ok()) << size;
  for (size_t bit = 0; bit < bytes.size() * 8; bit += 3) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(TokenDataset::open(folder.write("flipped.tokens", flipped)).ok()) << bit;
  }
  EXPECT_FALSE(TokenDataset::open(folder.write("long.tokens", bytes + "x")).ok());
  EXPECT_EQ(TokenDataset::open((folder / "none").string()).error().code, ErrorCode::not_found);
}

TEST(TokenWriter, RefusesForeignTokensAndLeavesNothingBehind) {
  const test::TempDir folder;
  {
    auto writer = TokenWriter::create((folder / "a.tokens").string(), 10, 0).value();
    EXPECT_FALSE(writer.add(std::vector<int32_t>{10}, 1).ok());
    EXPECT_FALSE(writer.add(std::vector<int32_t>{-1}, 1).ok());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace quern::data
