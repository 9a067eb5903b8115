#include "text/bert_vocabulary.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "text/tokenizer.h"

namespace quern::text {
namespace {

constexpr const char* kVocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nmill\n##er\nthe\nThe\n.\n";

TEST(BertVocabulary, MakesBertsTokenizer) {
  const Tokenizer tokenizer = Tokenizer::from_json(bert_tokenizer_json(kVocabulary, "").value()).value();
  EXPECT_EQ(tokenizer.encode("The miller."), (std::vector<TokenId>{2, 7, 5, 6, 9, 3}));
  EXPECT_EQ(tokenizer.encode("[MASK] what"), (std::vector<TokenId>{2, 4, 1, 3}));
  const EncodedPair pair = tokenizer.encode_pair_with_types("mill", "the");
  EXPECT_EQ(pair.ids, (std::vector<TokenId>{2, 5, 3, 7, 3}));
  EXPECT_EQ(pair.type_ids, (std::vector<int32_t>{0, 0, 0, 1, 1}));
}

TEST(BertVocabulary, FollowsTheConfig) {
  const std::string json = bert_tokenizer_json(kVocabulary, R"({"do_lower_case": false})").value();
  EXPECT_EQ(Tokenizer::from_json(json).value().encode("The"), (std::vector<TokenId>{2, 8, 3}));
}

TEST(BertVocabulary, NamesTheTokenThatIsMissing) {
  const auto json = bert_tokenizer_json("[PAD]\n[UNK]\n[CLS]\n", "");
  ASSERT_FALSE(json.ok());
  EXPECT_NE(json.error().message.find("'[SEP]' is missing"), std::string::npos);
}

TEST(BertVocabulary, IsWhatAFolderWithoutTokenizerJsonOpens) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "quern_bert_vocabulary";
  make_directories(folder).value();
  write_file_atomic(folder / "vocab.txt", kVocabulary).value();
  EXPECT_EQ(Tokenizer::load(folder).value().encode("mill"), (std::vector<TokenId>{2, 5, 3}));
}

}  // namespace
}  // namespace quern::text
