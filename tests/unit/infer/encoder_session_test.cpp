// Encoders on texts, against what transformers' pipelines say with the same tiny model
// (tools/goldens/encoder_texts.py), whose weights hold all heads.
#include "infer/encoder_session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "infer/embed.h"
#include "infer/predict.h"
#include "support/golden.h"

namespace quern::infer {
namespace {

namespace fs = std::filesystem;
const std::filesystem::path kTexts = quern::test::kGolden / "encoder_texts";
constexpr double kNear = 1e-5;

const nlohmann::json& expected() {
  static const nlohmann::json json = read_json_file(kTexts / "expected.json").value();
  return json;
}

std::vector<std::string> texts_of(const char* key) { return expected()[key].get<std::vector<std::string>>(); }

// The recorded model as if transformers' BertFor... had saved it, with `changes` to its config.
LoadedEncoder open(const std::string& architecture,
                   const nlohmann::json& changes = nlohmann::json::object()) {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  const fs::path folder = fs::path(testing::TempDir()) / ("quern_" + std::string(test->test_suite_name()) +
                                                          "_" + test->name() + "_" + architecture);
  fs::remove_all(folder);
  fs::copy(kTexts, folder, fs::copy_options::recursive);
  nlohmann::json config = read_json_file(kTexts / "config.json").value();
  config["architectures"] = {architecture};
  config.update(changes);
  write_file_atomic(folder / "config.json", config.dump()).value();
  return open_encoder(folder, DType::f32).value();
}

TEST(SentenceForm, ComesFromTheFolder) {
  const auto form = read_sentence_form(kTexts).value();
  ASSERT_TRUE(form);
  EXPECT_EQ(form->pooling, std::vector{Pooling::mean});
  EXPECT_TRUE(form->normalize);
  EXPECT_EQ(form->longest, 24);
}

TEST(Embed, AgreesWithTransformers) {
  const LoadedEncoder loaded = open("BertModel");
  const SentenceForm form = *read_sentence_form(kTexts).value();
  const EncoderSession session(loaded, form.longest);
  const auto got = embed(session, texts_of("texts"), form, TooLong::refuse).value();
  const auto wanted = expected()["embeddings"].get<std::vector<Embedding>>();
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    for (size_t c = 0; c < wanted[i].size(); ++c) EXPECT_NEAR(got[i][c], wanted[i][c], kNear);
  }
}

TEST(Embed, DoesNotDependOnCompany) {
  const LoadedEncoder loaded = open("BertModel");
  const EncoderSession session(loaded);
  const std::vector<std::string> texts = texts_of("texts");
  const auto together = embed(session, texts, {}, TooLong::refuse).value();
  for (size_t i = 0; i < texts.size(); ++i)
    EXPECT_EQ(embed(session, std::span(texts).subspan(i, 1), {}, TooLong::refuse).value()[0], together[i]);
}

TEST(Embed, PoolsInManyWays) {
  const LoadedEncoder loaded = open("BertModel");
  const EncoderSession session(loaded);
  const std::vector<std::string> texts{"The miller grinds grain."};
  const auto with = [&](std::vector<Pooling> pooling) {
    return embed(session, texts, {.pooling = std::move(pooling)}, TooLong::refuse).value()[0];
  };
  const Embedding mean = with({Pooling::mean}), root = with({Pooling::mean_sqrt_len});
  const double tokens = 7.0;  // with [CLS] and [SEP]
  EXPECT_NEAR(root[3], std::sqrt(tokens) * mean[3], 1e-5);
  const Embedding both = with({Pooling::cls, Pooling::mean});
  ASSERT_EQ(both.size(), 32U);
  EXPECT_EQ(both[16], mean[0]);
  EXPECT_EQ(with({Pooling::cls}), Embedding(both.begin(), both.begin() + 16));
  for (const float value : with({Pooling::pooler})) EXPECT_LE(std::abs(value), 1.0f);
  EXPECT_GE(with({Pooling::max})[0], mean[0]);
}

TEST(Embed, SaysThatThereIsNoPooler) {
  const LoadedEncoder loaded = open("BertForMaskedLM");
  const EncoderSession session(loaded);
  const std::vector<std::string> texts{"wind"};
  EXPECT_EQ(embed(session, texts, {.pooling = {Pooling::pooler}}, TooLong::refuse).error().message,
            "the model has no pooler");
}

TEST(EncoderSession, RefusesWhatIsTooLongUnlessItMayCut) {
  const LoadedEncoder loaded = open("BertModel");
  const EncoderSession session(loaded, 6);
  const auto refused = session.read("wind wind wind wind wind", std::nullopt, TooLong::refuse);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("has 7 tokens, but the model reads 6"), std::string::npos)
      << refused.error().message;
  const auto cut = session.read("wind water wind wind wind", std::nullopt, TooLong::truncate).value();
  ASSERT_EQ(cut.size(), 6U);
  EXPECT_EQ(cut.back().id, 3);  // [SEP]
  const auto pair = session.read("wind water", "mill mill mill mill", TooLong::truncate).value();
  ASSERT_EQ(pair.size(), 6U);
  EXPECT_EQ(std::ranges::count(pair, 0, &EncoderToken::part), 2);
  EXPECT_EQ(std::ranges::count(pair, 1, &EncoderToken::part), 1);
  EXPECT_EQ(pair.back().segment, 1);
}

TEST(FillMasks, AgreesWithTransformers) {
  const LoadedEncoder loaded = open("BertForMaskedLM");
  const EncoderSession session(loaded);
  const auto got = fill_masks(session, texts_of("masked"), 3, TooLong::refuse).value();
  const nlohmann::json& wanted = expected()["filled"];
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].size(), wanted[i].size());
    for (size_t mask = 0; mask < got[i].size(); ++mask) {
      ASSERT_EQ(got[i][mask].size(), 3U);
      for (size_t k = 0; k < 3; ++k) {
        EXPECT_EQ(got[i][mask][k].token, wanted[i][mask][k]["token"].get<int32_t>());
        EXPECT_NEAR(got[i][mask][k].probability, wanted[i][mask][k]["score"].get<double>(), kNear);
      }
    }
  }
  const auto none = fill_masks(session, std::vector<std::string>{"no gap"}, 3, TooLong::refuse);
  EXPECT_EQ(none.error().message, "no [MASK] is in the text \"no gap\"");
}

void expect_labels(const std::vector<std::vector<LabelScore>>& got, const nlohmann::json& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].size(), wanted[i].size());
    for (size_t k = 0; k < got[i].size(); ++k) {
      EXPECT_EQ(got[i][k].label, wanted[i][k]["label"].get<std::string>());
      EXPECT_NEAR(got[i][k].score, wanted[i][k]["score"].get<double>(), kNear);
    }
  }
}

TEST(Classify, AgreesWithTransformers) {
  const LoadedEncoder loaded = open("BertForSequenceClassification");
  const EncoderSession session(loaded);
  std::vector<TextOrPair> texts, pairs;
  for (const std::string& text : texts_of("texts")) texts.push_back({text});
  for (const auto& pair : expected()["pairs"])
    pairs.push_back({pair[0].get<std::string>(), pair[1].get<std::string>()});
  expect_labels(classify(session, texts, TooLong::refuse).value(), expected()["labels"]);
  expect_labels(classify(session, pairs, TooLong::refuse).value(), expected()["pair_labels"]);
}

TEST(Classify, OutputsMeanWhatTheConfigSays) {
  const std::vector<TextOrPair> texts{{"wind"}};
  const auto sum = [&](const char* problem) {
    const LoadedEncoder loaded = open("BertForSequenceClassification", {{"problem_type", problem}});
    double total = 0.0;
    const auto found = classify(EncoderSession(loaded), texts, TooLong::refuse).value();
    for (const LabelScore& one : found[0]) total += one.score;
    return total;
  };
  EXPECT_NEAR(sum("single_label_classification"), 1.0, 1e-9);
  EXPECT_GT(std::abs(sum("multi_label_classification") - 1.0), 1e-3);
  const LoadedEncoder numbers = open("BertForSequenceClassification", {{"problem_type", "regression"}});
  const auto found = classify(EncoderSession(numbers), texts, TooLong::refuse).value();
  EXPECT_EQ(found[0][0].label, "O") << "in the model's order";
}

TEST(LabelSpans, AgreesWithTransformers) {
  const LoadedEncoder loaded = open("BertForTokenClassification");
  const EncoderSession session(loaded);
  const auto got = label_spans(session, texts_of("texts"), TooLong::refuse).value();
  const nlohmann::json& wanted = expected()["spans"];
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].size(), wanted[i].size()) << i;
    for (size_t k = 0; k < got[i].size(); ++k) {
      EXPECT_EQ(got[i][k].label, wanted[i][k]["entity_group"].get<std::string>());
      EXPECT_EQ(got[i][k].span.begin, wanted[i][k]["start"].get<uint32_t>());
      EXPECT_EQ(got[i][k].span.end, wanted[i][k]["end"].get<uint32_t>());
      EXPECT_NEAR(got[i][k].score, wanted[i][k]["score"].get<double>(), kNear);
    }
  }
}

TEST(Answer, AgreesWithTransformersOverWindows) {
  const LoadedEncoder loaded = open("BertForQuestionAnswering");
  const EncoderSession session(loaded);
  const AnswerOptions options{
      .window = expected()["window"].get<int64_t>(), .stride = expected()["stride"].get<int64_t>(), .top = 3};
  const std::string question = expected()["question"].get<std::string>(),
                    context = expected()["context"].get<std::string>();
  const auto got = answer(session, question, context, options).value();
  const nlohmann::json& wanted = expected()["answers"];
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].text, wanted[i]["text"].get<std::string>());
    EXPECT_EQ(got[i].span.begin, wanted[i]["begin"].get<uint32_t>());
    EXPECT_NEAR(got[i].score, wanted[i]["score"].get<double>(), kNear);
  }
  const auto narrow = answer(session, question, context, {.window = 8});
  EXPECT_NE(narrow.error().message.find("take 9 of 8 tokens"), std::string::npos) << narrow.error().message;
}

TEST(Predict, NamesTheHeadThatTheModelHas) {
  const LoadedEncoder loaded = open("BertForTokenClassification");
  const auto result = classify(EncoderSession(loaded), std::vector<TextOrPair>{{"wind"}}, TooLong::refuse);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message, "the model has labels for tokens, expected labels for whole texts");
}

}  // namespace
}  // namespace quern::infer
