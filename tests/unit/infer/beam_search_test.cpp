// Beam search against what transformers generates (tools/goldens/beam_search.py).
#include "infer/beam_search.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "model/load.h"
#include "support/golden.h"
#include "unit/infer/scripted_model.h"

namespace quern::infer {
namespace {

using quern::test::kGolden;

EarlyStopping early_stopping(const nlohmann::json& value) {
  if (value == "never") return EarlyStopping::never;
  return value == true ? EarlyStopping::yes : EarlyStopping::no;
}

BeamOptions options_of(const nlohmann::json& test) {
  return {.beams = test.at("num_beams"),
          .length_penalty = test.value("length_penalty", 1.0),
          .early_stopping = early_stopping(test.value("early_stopping", nlohmann::json(false))),
          .repetition_penalty = test.value("repetition_penalty", 1.0),
          .max_tokens = test.at("max_new_tokens"),
          .end_tokens = test.at("ends"),
          .rules = {.no_repeat_ngram = test.value("no_repeat_ngram_size", int64_t{0}),
                    .min_tokens = test.value("min_new_tokens", int64_t{0})}};
}

TEST(BeamSearch, AnswersAsTransformersDoes) {
  const nlohmann::json golden = read_json_file(kGolden / "beam_search.json").value();
  const std::vector<int32_t> prompt = golden.at("prompt");
  std::map<std::string, model::Decoder> models;
  for (const nlohmann::json& test : golden.at("cases")) {
    SCOPED_TRACE(test.dump());
    const std::string name = test.at("model");
    if (!models.contains(name)) models.emplace(name, model::load_model(kGolden / name).value());
    model::Decoder& model = models.at(name);
    model.set_cache_dtype(DType::f32);
    Session session(model, 0);
    session.set_tokens(prompt).value();
    const BeamOptions options = options_of(test);
    const std::vector<Beam> beams = beam_search(session, options, [] { return true; });
    const auto expected = test.at("answers").get<std::vector<std::vector<int32_t>>>();
    ASSERT_GE(beams.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      std::vector<int32_t> tokens = expected[i];
      const bool ended = std::ranges::find(options.end_tokens, tokens.back()) != options.end_tokens.end();
      if (ended) tokens.pop_back();
      EXPECT_EQ(beams[i].tokens, tokens) << "answer " << i;
      EXPECT_EQ(beams[i].ended, ended) << "answer " << i;
      if (options.beams > 1) {
        EXPECT_NEAR(beams[i].score, test.at("scores")[i].get<double>(), 1e-4);
      }
    }
    EXPECT_EQ(session.tokens(), prompt);
  }
}

TEST(BeamSearch, StopsWhenTold) {
  const model::Decoder model = scripted_model({5, 6, 7, 8, 9, 5, 6, 7}, 12);
  Session session(model, 0);
  session.set_tokens(std::vector<int32_t>{0}).value();
  int asked = 0;
  const std::vector<Beam> beams = beam_search(
      session, {.beams = 2, .max_tokens = 6, .end_tokens = {6}, .rules = {}}, [&] { return ++asked <= 2; });
  EXPECT_EQ(asked, 3);
  ASSERT_EQ(beams.size(), 1u);
  EXPECT_EQ(beams[0].tokens, std::vector<int32_t>{5});
}

TEST(BeamSearch, ForcedTokensComeFirstAndLast) {
  const model::Decoder model = scripted_model({5, 6, 7, 8, 9, 5, 6, 7}, 12);
  Session session(model, 0);
  session.set_tokens(std::vector<int32_t>{0}).value();
  const std::vector<Beam> beams = beam_search(
      session,
      {.beams = 2, .max_tokens = 4, .end_tokens = {3}, .rules = {.forced_first = 2, .forced_last = 3}},
      [] { return true; });
  ASSERT_FALSE(beams.empty());
  EXPECT_EQ(beams[0].tokens, (std::vector<int32_t>{2, 6, 7}));
  EXPECT_TRUE(beams[0].ended);
}

}  // namespace
}  // namespace quern::infer
