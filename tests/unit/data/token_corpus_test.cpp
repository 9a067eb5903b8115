#include "data/token_corpus.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "base/exception.h"
#include "base/threads.h"
#include "support/temp_dir.h"

namespace quern::data {
namespace {

// One token per byte; counts its calls.
struct ByteTokenizer {
  std::atomic<int> calls = 0;

  Tokenization tokenization(int32_t begin = 256, int32_t end = 257) {
    Tokenization result;
    result.encode = [this](std::string_view text, std::vector<int32_t>& tokens) {
      ++calls;
      for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
    };
    result.vocab_size = 258;
    result.fingerprint = "bytes";
    result.begin = begin;
    result.end = end;
    return result;
  }
};

std::string text_of(const TokenDataset& dataset, int64_t document) {
  std::vector<int32_t> tokens(static_cast<size_t>(dataset.document_length(document)));
  dataset.read(dataset.document_begin(document), tokens);
  std::string text;
  for (int32_t token : tokens) text += token == 256 ? '<' : token == 257 ? '>' : static_cast<char>(token);
  return text;
}

std::vector<std::string> texts_of(const TokenDataset& dataset) {
  std::vector<std::string> texts;
  for (int64_t i = 0; i < dataset.document_count(); ++i) texts.push_back(text_of(dataset, i));
  return texts;
}

std::string many_rows(int count) {
  std::string rows;
  for (int i = 0; i < count; ++i) rows += "{\"text\": \"document " + std::to_string(i) + "\"}\n";
  return rows;
}

TEST(TokenCorpus, SplitsByHashAndIsReused) {
  const test::TempDir folder;
  ByteTokenizer bytes;
  const TokenCorpusOptions options{.inputs = {folder.write("a.jsonl", many_rows(2000))},
                                   .reader = {},
                                   .split = {.fraction = 0.1},
                                   .folder = (folder / "cache").string()};
  const TokenCorpus made = prepare_tokens(options, bytes.tokenization()).value();
  EXPECT_FALSE(made.reused);
  EXPECT_EQ(made.statistics.documents, 2000);
  EXPECT_EQ(made.train.document_count() + made.validation.document_count(), 2000);
  EXPECT_NEAR(static_cast<double>(made.validation.document_count()), 200, 60);
  EXPECT_EQ(made.train.source_bytes() + made.validation.source_bytes(),
            static_cast<uint64_t>(made.statistics.bytes));
  std::set<std::string> all;
  for (const auto* side : {&made.train, &made.validation})
    for (const auto& text : texts_of(*side)) EXPECT_TRUE(all.insert(text).second) << text;
  EXPECT_EQ(all.count("<document 77>"), 1u);

  const int calls = bytes.calls;
  const TokenCorpus again = prepare_tokens(options, bytes.tokenization()).value();
  EXPECT_TRUE(again.reused);
  EXPECT_EQ(bytes.calls, calls);
  EXPECT_EQ(texts_of(again.train), texts_of(made.train));
}

TEST(TokenCorpus, AnythingThatMattersMakesItAgain) {
  const test::TempDir folder;
  ByteTokenizer bytes;
  const std::string input = folder.write("a.jsonl", many_rows(50));
  TokenCorpusOptions options{
      .inputs = {input}, .reader = {}, .split = {}, .folder = (folder / "cache").string()};
  const auto reused = [&](const Tokenization& tokenization) {
    return prepare_tokens(options, tokenization).value().reused;
  };
  EXPECT_FALSE(reused(bytes.tokenization()));
  EXPECT_TRUE(reused(bytes.tokenization()));
  EXPECT_FALSE(reused(bytes.tokenization(256, -1)));
  Tokenization other = bytes.tokenization();
  other.fingerprint = "other";
  EXPECT_FALSE(reused(other));
  options.split.seed = 1;
  EXPECT_FALSE(reused(bytes.tokenization()));
  folder.write("a.jsonl", many_rows(51));
  EXPECT_FALSE(reused(bytes.tokenization()));
  // A damaged file is made again instead of trusted.
  for (const auto& entry : std::filesystem::directory_iterator((folder / "cache").string()))
    std::filesystem::resize_file(entry.path(), 100);
  EXPECT_FALSE(reused(bytes.tokenization()));
  EXPECT_TRUE(reused(bytes.tokenization()));
}

TEST(TokenCorpus, TailSplitCutsOneDocumentBetweenCharacters) {
  const test::TempDir folder;
  ByteTokenizer bytes;
  const std::string input =
      folder.write("a.txt", "abcdefgh\xC3\xA9z");  // 11 bytes: the border, 9.9, falls inside the accent
  const auto corpus = prepare_tokens({.inputs = {input},
                                      .reader = {},
                                      .split = {.fraction = 0.14},
                                      .folder = (folder / "cache").string()},
                                     bytes.tokenization(-1, -1))
                          .value();
  EXPECT_EQ(texts_of(corpus.train), (std::vector<std::string>{"abcdefgh"}));
  EXPECT_EQ(texts_of(corpus.validation), (std::vector<std::string>{"\xC3\xA9z"}));
  EXPECT_EQ(corpus.validation.source_bytes(), 3u);
}

TEST(TokenCorpus, TailSplitOfSeveralDocuments) {
  const test::TempDir folder;
  ByteTokenizer bytes;
  const std::string input = folder.write("a.txt", "aaaa|bbbb|cccc|dddd");
  const auto corpus = prepare_tokens({.inputs = {input},
                                      .reader = {.split_on = "|"},
                                      .split = {.mode = SplitMode::tail, .fraction = 0.375},
                                      .folder = (folder / "cache").string()},
                                     bytes.tokenization())
                          .value();
  EXPECT_EQ(texts_of(corpus.train), (std::vector<std::string>{"<aaaa>", "<bbbb>", "<cc>"}));
  EXPECT_EQ(texts_of(corpus.validation), (std::vector<std::string>{"<cc>", "<dddd>"}));
}

TEST(TokenCorpus, NothingHeldOut) {
  const test::TempDir folder;
  ByteTokenizer bytes;
  const auto corpus = prepare_tokens({.inputs = {folder.write("a.txt", "abc")},
                                      .reader = {},
                                      .split = {.fraction = 0},
                                      .folder = (folder / "cache").string()},
                                     bytes.tokenization())
                          .value();
  EXPECT_EQ(texts_of(corpus.train), (std::vector<std::string>{"<abc>"}));
  EXPECT_EQ(corpus.validation.document_count(), 0);
}

TEST(TokenCorpus, DoesNotDependOnThreads) {
  const test::TempDir folder;
  ByteTokenizer bytes;
  const std::string input = folder.write("a.jsonl", many_rows(500));
  const int before = num_threads();
  std::vector<std::vector<std::string>> results;
  for (int threads : {1, 3, 8}) {
    set_num_threads(threads);
    const auto corpus = prepare_tokens({.inputs = {input},
                                        .reader = {},
                                        .split = {},
                                        .folder = (folder / std::to_string(threads)).string()},
                                       bytes.tokenization())
                            .value();
    results.push_back(texts_of(corpus.train));
  }
  set_num_threads(before);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(TokenCorpus, AnExceptionOfTheEncoderBecomesItsError) {
  const test::TempDir folder;
  ByteTokenizer bytes;
  Tokenization tokenization = bytes.tokenization();
  tokenization.encode = [](std::string_view text, std::vector<int32_t>&) {
    if (text == "document 7") throw Exception(make_error(ErrorCode::deadline, "too hard"));
  };
  const auto result = prepare_tokens({.inputs = {folder.write("a.jsonl", many_rows(20))},
                                      .reader = {},
                                      .split = {},
                                      .folder = (folder / "cache").string()},
                                     tokenization);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::deadline);
  EXPECT_TRUE(std::filesystem::is_empty((folder / "cache").string()));
}

TEST(TokenCorpus, Errors) {
  const test::TempDir folder;
  ByteTokenizer bytes;
  const auto prepare = [&](const std::string& input, double fraction) {
    return prepare_tokens({.inputs = {input},
                           .reader = {},
                           .split = {.fraction = fraction},
                           .folder = (folder / "cache").string()},
                          bytes.tokenization());
  };
  EXPECT_EQ(prepare(folder.write("blank.txt", " \n"), 0.1).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(prepare((folder / "none.txt").string(), 0.1).error().code, ErrorCode::not_found);
  EXPECT_EQ(prepare(folder.write("a.txt", "abc"), 1.0).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(prepare(folder.write("bad.jsonl", "{}\n"), 0.1).error().code, ErrorCode::corrupt);
  EXPECT_TRUE(std::filesystem::is_empty((folder / "cache").string()));
}

}  // namespace
}  // namespace quern::data
