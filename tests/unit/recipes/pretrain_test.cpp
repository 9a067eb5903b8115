#include "recipes/pretrain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "infer/loaded_model.h"
#include "recipes/tokenizer_training.h"
#include "unit/recipes/tiny_recipe.h"

namespace quern::recipes {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// --- PretrainConfig::finish

struct Loaded {
  PretrainConfig config;
  Fields fields = fields_of(config);
};

std::unique_ptr<Loaded> load(const char* yaml) {
  auto loaded = std::make_unique<Loaded>();
  loaded->fields.load_yaml(yaml, "test.yaml").value();
  return loaded;
}

TEST(PretrainConfig, ChoicesNobodyMadeAreThoseOfTheFamily) {
  const auto loaded = load("model: {family: llama, layers: 3, hidden: 48, heads: 6}");
  ASSERT_TRUE(loaded->config.finish(loaded->fields).ok());
  const model::ModelConfig& model = loaded->config.model;
  EXPECT_EQ(model.family, "llama");
  EXPECT_EQ(model.layers, 3);
  EXPECT_EQ(model.hidden, 48);
  EXPECT_EQ(model.positions, model::Positions::rope);
  EXPECT_EQ(model.norm, ops::NormKind::rms);
  EXPECT_TRUE(model.gated_mlp);
  EXPECT_FALSE(model.qkv_bias);
  EXPECT_EQ(loaded->config.train.schedule.total, loaded->config.train.steps);
}

TEST(PretrainConfig, ExplicitChoicesWinOverTheFamily) {
  const auto loaded = load(
      "model: {family: llama, layers: 2, hidden: 48, heads: 6, mlp_bias: true, eos_tokens: [3, 4], "
      "max_positions: 99}");
  loaded->fields.set("model.norm_eps=0.125").value();
  const Result<void> finished = loaded->config.finish(loaded->fields);
  ASSERT_TRUE(finished.ok()) << finished.error().message;
  const model::ModelConfig& model = loaded->config.model;
  EXPECT_TRUE(model.mlp_bias);
  EXPECT_EQ(model.max_positions, 99);
  EXPECT_EQ(model.norm_eps, 0.125);
  EXPECT_EQ(model.eos_tokens, (std::vector<int64_t>{3, 4}));
  EXPECT_TRUE(model.gated_mlp);  // the rest is still the family's
}

// A value that equals the default of all models is a choice all the same.
TEST(PretrainConfig, AChoiceThatEqualsTheGeneralDefaultIsAChoice) {
  ASSERT_TRUE(model::ModelConfig().tied_embeddings);
  const auto chosen = load("model: {family: llama, layers: 2, hidden: 48, heads: 6, tied_embeddings: true}");
  ASSERT_TRUE(chosen->config.finish(chosen->fields).ok());
  EXPECT_TRUE(chosen->config.model.tied_embeddings);
  const auto left = load("model: {family: llama, layers: 2, hidden: 48, heads: 6}");
  ASSERT_TRUE(left->config.finish(left->fields).ok());
  EXPECT_FALSE(left->config.model.tied_embeddings);
}

// Not after training, when the model is written.
TEST(PretrainConfig, ImpossibleModelsAreRefusedAtOnce) {
  const auto error_of = [](const char* yaml) {
    const auto loaded = load(yaml);
    const Result<void> finished = loaded->config.finish(loaded->fields);
    return finished.ok() ? make_error(ErrorCode::internal, "no error") : finished.error();
  };
  const Error shape = error_of("model: {layers: 1, heads: 3, hidden: 32}");
  EXPECT_EQ(shape.code, ErrorCode::invalid_argument);
  EXPECT_THAT(shape.message, HasSubstr("hidden (32) must be a multiple of heads (3)"));
  EXPECT_THAT(error_of("model: {heads: 2, hidden: 32}").message, HasSubstr("layers"));
  const Error unspeakable =
      error_of("model: {family: gpt2, layers: 1, heads: 2, hidden: 32, positions: alibi}");
  EXPECT_EQ(unspeakable.code, ErrorCode::invalid_argument);
  EXPECT_THAT(unspeakable.message, HasSubstr("positions"));
}

TEST(PretrainConfig, AModelToGoOnTrainingTakesNoSettings) {
  const auto fine = load("from: some/model");
  EXPECT_TRUE(fine->config.finish(fine->fields).ok());
  const auto refused = load("from: some/model\nmodel: {layers: 3}");
  const Result<void> result = refused->config.finish(refused->fields);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(result.error().message, HasSubstr("model.layers is set at test.yaml:2"));
  EXPECT_THAT(result.error().message, HasSubstr("some/model"));
}

TEST(PretrainConfig, AnUnknownFamilyIsAnError) {
  const auto loaded = load("model: {family: gpt7}");
  EXPECT_THAT(loaded->config.finish(loaded->fields).error().message, HasSubstr("gpt7"));
}

TEST(PretrainConfig, ValidationIsAShareOrFiles) {
  const auto files = load("from: some/model\ndata: {validation_inputs: held_out.txt}");
  ASSERT_TRUE(files->config.finish(files->fields).ok());
  EXPECT_EQ(files->config.data.split.fraction, 0.0);
  const auto both = load("data: {validation_inputs: held_out.txt, validation: 0.1}");
  const Result<void> refused = both->config.finish(both->fields);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(refused.error().message, HasSubstr("data.validation is set at test.yaml:1"));
}

// --- pretrain

TrainHow resuming() {
  TrainHow how;
  how.resume = true;
  return how;
}

TrainHow overwriting() {
  TrainHow how;
  how.overwrite = true;
  return how;
}

class PretrainTest : public testing::Test {
 protected:
  void SetUp() override {
    write(folder_ / "input.txt", tiny_corpus());
    TokenizerConfig tokenizer;
    tokenizer.inputs = {(folder_ / "input.txt").string()};
    tokenizer.vocab_size = 300;
    train_tokenizer(tokenizer, folder_ / "tokenizer", null_progress()).value();
  }

  Result<train::TrainSummary> run(const std::vector<std::string>& settings = {}, const TrainHow& how = {}) {
    Loaded loaded;
    loaded.fields
        .load_yaml(
            "model: {layers: 1, heads: 2, hidden: 16, max_positions: 16}\n"
            "data: {validation: 0.2, split: tail}\n"
            "train: {steps: 3, batch: 2, sequence: 16, save_every: 1, sample_every: 1, log_every: 1}\n"
            "sample: {max_tokens: 4}\n",
            "test.yaml")
        .value();
    const std::string folder = folder_.path().string();
    for (const std::string& setting : {"out=" + folder + "/run", "tokenizer=" + folder + "/tokenizer",
                                       "data.inputs=" + folder + "/input.txt"})
      loaded.fields.set(setting).value();
    for (const std::string& setting : settings) loaded.fields.set(setting).value();
    QUERN_CHECK(loaded.config.finish(loaded.fields));
    return pretrain(loaded.config, how);
  }
  std::string weights() const { return read_file(folder_ / "run/model/model.safetensors").value(); }

  test::TempDir folder_;
};

TEST_F(PretrainTest, LeavesAModelThatOpensAndARecord) {
  const train::TrainSummary summary = run().value();
  EXPECT_EQ(summary.steps, 3);
  const infer::LoadedModel loaded = infer::open_model(folder_ / "run/model", DType::f32).value();
  EXPECT_EQ(loaded.model.config().vocab_size, loaded.tokenizer.vocab_size());
  EXPECT_EQ(loaded.model.config().eos_tokens, (std::vector<int64_t>{0}));  // the tokenizer's <|endoftext|>
  const auto record = nlohmann::json::parse(read_file(folder_ / "run/run.json").value());
  EXPECT_EQ(record["result"]["steps"], 3);
  EXPECT_EQ(record["config"]["train"]["steps"], 3);
  EXPECT_FALSE(record["lineage"]["tokenizer"].get<std::string>().empty());
  EXPECT_TRUE(fs::exists(folder_ / "run/metrics.jsonl"));
}

// Other text to validate on gives another loss and the same weights.
TEST_F(PretrainTest, ValidatesOnOtherFiles) {
  write(folder_ / "same.txt", tiny_corpus());
  write(folder_ / "other.txt", std::string(2000, 'x'));
  const std::string same = "data.validation_inputs=" + (folder_ / "same.txt").string(),
                    other = "data.validation_inputs=" + (folder_ / "other.txt").string();
  const train::TrainSummary usual = run({"data.validation=0", same}).value();
  const std::string trained = weights();
  const train::TrainSummary strange = run({"data.validation=0", other}, overwriting()).value();
  EXPECT_EQ(weights(), trained);
  ASSERT_TRUE(usual.evaluation && strange.evaluation);
  EXPECT_NE(strange.evaluation->loss, usual.evaluation->loss);
  const auto record = nlohmann::json::parse(read_file(folder_ / "run/run.json").value());
  EXPECT_GT(record["lineage"]["validation_token_count"], 100);
}

TEST_F(PretrainTest, NeverOverwritesARunInSilence) {
  ASSERT_TRUE(run().ok());
  const std::string before = weights();
  const auto refused = run({"train.seed=2"});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::conflict);
  for (const char* way_out : {"--resume", "--overwrite", "--set out="})
    EXPECT_THAT(refused.error().hint, HasSubstr(way_out));
  EXPECT_EQ(weights(), before);

  ASSERT_TRUE(run({"train.seed=2"}, overwriting()).ok());
  EXPECT_NE(weights(), before);
}

// --overwrite with a mistake beside it leaves the old run as it was.
TEST_F(PretrainTest, OverwritesOnlyWhenNothingElseIsWrong) {
  ASSERT_TRUE(run().ok());
  const fs::path checkpoint = folder_ / "run/checkpoints/step-00000003/trainer.json";
  ASSERT_TRUE(fs::exists(checkpoint));
  for (const char* mistake :
       {"tokenizer=absent", "data.inputs=absent", "model.heads=3", "model.vocab_size=299",
        "train.sequence=999", "sample.prompt=a much longer prompt than sixteen tokens of it"}) {
    EXPECT_FALSE(run({mistake}, overwriting()).ok()) << mistake;
    EXPECT_TRUE(fs::exists(checkpoint)) << mistake;
  }
}

TEST_F(PretrainTest, ResumingGoesOnAndAnotherRunIsAConflict) {
  ASSERT_TRUE(run().ok());
  const train::TrainSummary longer = run({"train.steps=5"}, resuming()).value();
  EXPECT_EQ(longer.steps, 5);
  const auto other = run({"model.hidden=24", "train.steps=6"}, resuming());
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, ErrorCode::conflict);
}

TEST_F(PretrainTest, AModelWithoutRoomForItsTokenizerIsRefused) {
  const auto small = run({"model.vocab_size=299"});
  ASSERT_FALSE(small.ok());
  EXPECT_EQ(small.error().code, ErrorCode::conflict);
  EXPECT_THAT(small.error().message, HasSubstr("tokenizer has 300 tokens"));
  EXPECT_THAT(small.error().message, HasSubstr("299"));
  EXPECT_TRUE(run({"model.vocab_size=320"}).ok());  // room to spare is fine
}

TEST_F(PretrainTest, GoesOnFromAModel) {
  ASSERT_TRUE(run().ok());
  Loaded loaded;
  loaded.fields
      .load_yaml(
          "train: {steps: 2, batch: 2, sequence: 16, save_every: 0}\ndata: {validation: 0.2, split: tail}",
          "test.yaml")
      .value();
  const std::string folder = folder_.path().string();
  for (const std::string& setting :
       {"out=" + folder + "/more", "from=" + folder + "/run/model", "tokenizer=" + folder + "/run/model",
        "data.inputs=" + folder + "/input.txt"})
    loaded.fields.set(setting).value();
  ASSERT_TRUE(loaded.config.finish(loaded.fields).ok());
  const auto more = pretrain(loaded.config, {});
  ASSERT_TRUE(more.ok()) << more.error().message;
  EXPECT_TRUE(infer::open_model(folder_ / "more/model", DType::f32).ok());
}

TEST(FiguresOf, HasNoInfinities) {
  train::TrainSummary summary;
  summary.tokens = 10;  // in no time at all
  const nlohmann::ordered_json figures = figures_of(summary);
  EXPECT_TRUE(std::isfinite(figures["tokens_per_second"].get<double>()));
  EXPECT_FALSE(figures.contains("validation_loss"));
}

}  // namespace
}  // namespace quern::recipes
