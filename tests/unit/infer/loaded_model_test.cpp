// What encoder-decoders answer, against transformers (tools/goldens/seq2seq.py).
#include "infer/loaded_model.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "infer/beam_search.h"
#include "infer/generate.h"
#include "support/golden.h"
#include "unit/infer/scripted_model.h"

namespace quern::infer {
namespace {

const std::filesystem::path kSeq2Seq = quern::test::kGolden / "seq2seq";

LoadedModel load(const std::string& name) {
  model::EncoderDecoder both = model::load_encoder_decoder(kSeq2Seq / name).value();
  both.decoder().set_cache_dtype(DType::f32);
  return LoadedModel{{.tokenizer = byte_tokenizer()}, std::move(both.decoder()), std::move(both.encoder())};
}

BeamOptions options_of(const nlohmann::json& test, const nlohmann::json& config) {
  BeamOptions options{
      .beams = test.value("num_beams", int64_t{1}),
      .length_penalty = test.value("length_penalty", 1.0),
      .early_stopping = test.value("early_stopping", false) ? EarlyStopping::yes : EarlyStopping::no,
      .max_tokens = test.value("max_new_tokens", test.value("max_length", int64_t{0}) - 1),
      .end_tokens = {config.at("eos_token_id").get<int32_t>()},
      .rules = {.no_repeat_ngram = test.value("no_repeat_ngram_size", int64_t{0}),
                .min_tokens = test.value("min_length", int64_t{1}) - 1}};
  options.rules.forced_first = test.value("forced_bos_token_id", -1);
  options.rules.forced_last = test.value("forced_eos_token_id", config.value("forced_eos_token_id", -1));
  return options;
}

std::vector<int32_t> greedy(Session& session, const BeamOptions& options) {
  GenerateOptions plain{.sampling = {},
                        .max_tokens = options.max_tokens,
                        .end_tokens = options.end_tokens,
                        .rules = options.rules};
  plain.sampling.temperature = 0.0;
  std::vector<int32_t> tokens;
  generate(session, plain, [&](const SampledToken& token) { return tokens.push_back(token.id), true; });
  return tokens;
}

class EncoderDecoderAnswers : public testing::TestWithParam<const char*> {};

TEST_P(EncoderDecoderAnswers, EqualThoseOfTransformers) {
  const LoadedModel loaded = load(GetParam());
  const nlohmann::json golden = read_json_file(kSeq2Seq / GetParam() / "generated.json").value();
  const nlohmann::json config = read_json_file(kSeq2Seq / GetParam() / "config.json").value();
  const std::vector<int32_t> source = golden.at("source");
  for (const nlohmann::json& test : golden.at("cases")) {
    SCOPED_TRACE(test.dump());
    const BeamOptions options = options_of(test, config);
    Session session(loaded.model, 0);
    session.set_tokens(read_text(session, loaded, source).value()).value();
    std::vector<std::vector<int32_t>> answers;
    if (options.beams == 1) {
      answers.push_back(greedy(session, options));
    } else {
      const std::vector<Beam> beams = beam_search(session, options, [] { return true; });
      for (const Beam& beam : beams) answers.push_back(beam.tokens);
      for (size_t i = 0; i < test.at("scores").size(); ++i)
        EXPECT_NEAR(beams[i].score, test.at("scores")[i].get<double>(), 1e-4);
    }
    const auto expected = test.at("answers").get<std::vector<std::vector<int32_t>>>();
    ASSERT_GE(answers.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      const auto end = std::ranges::find(expected[i], options.end_tokens.front());
      EXPECT_EQ(answers[i], std::vector<int32_t>(expected[i].begin(), end)) << "answer " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, EncoderDecoderAnswers, testing::Values("t5", "t5_gated", "mt5", "bart"));

TEST(ReadText, RefusesWhatTheEncoderCannotRead) {
  const LoadedModel loaded = load("bart");
  Session session(loaded.model, 0);
  EXPECT_FALSE(read_text(session, loaded, {}).ok());
  EXPECT_FALSE(read_text(session, loaded, std::vector<int32_t>{3, 61}).ok());
  EXPECT_FALSE(read_text(session, loaded, std::vector<int32_t>(65, 3)).ok());
  EXPECT_TRUE(read_text(session, loaded, std::vector<int32_t>(64, 3)).ok());
}

}  // namespace
}  // namespace quern::infer
