#include "train/trainer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/rng.h"
#include "support/parameters.h"
#include "train/pretraining.h"

namespace quern::train {
namespace {

namespace fs = std::filesystem;

model::ModelConfig small_config(double dropout = 0.0) {
  model::ModelConfig config;
  config.vocab_size = 23;
  config.layers = 2;
  config.hidden = 16;
  config.heads = 2;
  config.max_positions = 32;
  config.dropout = dropout;
  return config;
}

// Documents of several lengths in which each token mostly decides the next.
data::TokenDataset tiny_corpus(int documents = 40) {
  std::vector<std::vector<int32_t>> corpus;
  Rng rng(5, 0);
  for (int d = 0; d < documents; ++d) {
    std::vector<int32_t> document{static_cast<int32_t>(rng.below(23))};
    const uint64_t length = 5 + rng.below(30);
    while (document.size() < length) {
      document.push_back(rng.below(8) == 0 ? static_cast<int32_t>(rng.below(23))
                                           : (document.back() * 7 + 3) % 23);
    }
    corpus.push_back(std::move(document));
  }
  return data::TokenDataset::from_documents(corpus, 1000);
}

TrainOptions tiny_options(int64_t steps) {
  TrainOptions options;
  options.steps = steps;
  options.batch = "8";
  options.sequence = "16";
  options.schedule.lr = 1e-2;
  options.schedule.warmup = 2;
  options.log_every = 1;
  options.eval_every = 0;
  options.save_every = 0;
  return options;
}

Result<Trainer> pretrainer(model::Decoder& model, data::TokenDataset validation, const TrainOptions& options,
                           const fs::path& folder, TrainHooks hooks) {
  QUERN_TRY(Pretraining objective, Pretraining::create(model, tiny_corpus(), std::move(validation), options));
  return Trainer(std::make_unique<WholeModel>(model), std::make_unique<Pretraining>(std::move(objective)),
                 options, folder, std::move(hooks));
}

class TrainerTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) /
            (std::string("quern_trainer_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  struct Run {
    std::unique_ptr<model::Decoder> model;
    Result<TrainSummary> summary = make_error(ErrorCode::internal, "not run");
    int64_t resumed_from = 0;
  };

  // Trains a fresh model in root_/name; stops like Ctrl-C after `stop_after` steps when positive.
  Run train(const std::string& name, TrainOptions options, bool resume = false, int64_t stop_after = 0,
            double dropout = 0.0) {
    Run run;
    options.finish().value();
    run.model = std::make_unique<model::Decoder>(model::Decoder::create(small_config(dropout), 3).value());
    TrainHooks hooks;
    int64_t steps = 0;
    if (stop_after > 0) hooks.should_stop = [&steps, stop_after] { return ++steps >= stop_after; };
    Trainer trainer = pretrainer(*run.model, tiny_corpus(8), options, root_ / name, hooks).value();
    if (resume) run.resumed_from = trainer.resume().value();
    run.summary = trainer.run();
    return run;
  }

  fs::path root_;
};

double distance(const model::Decoder& a, const model::Decoder& b) {
  return test::distance(test::masters(a), test::masters(b));
}

TEST_F(TrainerTest, LearnsAndReports) {
  const Run run = train("run", tiny_options(80));
  const TrainSummary summary = run.summary.value();
  EXPECT_EQ(summary.steps, 80);
  EXPECT_LT(summary.evaluation->loss, 2.0);  // starts at log 23 = 3.1
  EXPECT_GT(summary.evaluation->figure("bits_per_byte").value(), 0.0);
  EXPECT_TRUE(fs::exists(root_ / "run/model/model.safetensors"));
  std::ifstream metrics(root_ / "run/metrics.jsonl");
  EXPECT_EQ(std::count(std::istreambuf_iterator<char>(metrics), {}, '\n'), 81);
}

TEST_F(TrainerTest, ResumeAtEveryStepIsBitIdentical) {
  const Run whole = train("whole", tiny_options(6), false, 0, 0.1);
  for (int64_t stop = 1; stop < 6; ++stop) {
    const std::string name = "stopped" + std::to_string(stop);
    const Run first = train(name, tiny_options(6), false, stop, 0.1);
    ASSERT_FALSE(first.summary.ok());
    EXPECT_EQ(first.summary.error().code, ErrorCode::cancelled);
    const Run second = train(name, tiny_options(6), true, 0, 0.1);
    EXPECT_EQ(second.resumed_from, stop);
    EXPECT_EQ(distance(*whole.model, *second.model), 0.0) << "stopped after step " << stop;
  }
}

TEST_F(TrainerTest, ResumeDropsMetricsPastTheCheckpoint) {
  TrainOptions options = tiny_options(6);
  options.save_every = 2;
  (void)train("run", options, false, 4);
  {
    std::ofstream metrics(root_ / "run/metrics.jsonl", std::ios::app);
    metrics << R"({"kind":"train","step":5,"loss":1})"
            << "\n"
            << R"({"kind":"tra)";
  }
  (void)train("run", options, true);
  std::ifstream in(root_ / "run/metrics.jsonl");
  std::map<int64_t, int> rows;
  for (std::string line; std::getline(in, line);) {
    const auto row = nlohmann::json::parse(line);
    if (row["kind"] == "train") ++rows[row["step"].get<int64_t>()];
  }
  EXPECT_EQ(rows.size(), 6u);
  for (const auto& [step, count] : rows) EXPECT_EQ(count, 1) << step;
}

TEST_F(TrainerTest, AccumulationEqualsTheFullBatch) {
  TrainOptions options = tiny_options(5);
  const Run whole = train("whole", options);
  for (const int64_t micro : {1, 3, 4}) {
    options.micro_batch = micro;
    const Run split = train("split" + std::to_string(micro), options);
    EXPECT_LT(distance(*whole.model, *split.model), 2e-5) << "micro-batches of " << micro;
  }
}

TEST_F(TrainerTest, CheckpointingChangesNothing) {
  TrainOptions options = tiny_options(4);
  const Run plain = train("plain", options, false, 0, 0.1);
  options.checkpointing = true;
  const Run recomputed = train("recomputed", options, false, 0, 0.1);
  EXPECT_EQ(distance(*plain.model, *recomputed.model), 0.0);
}

TEST_F(TrainerTest, SixteenBitRunsFollowTheFullPrecisionCurve) {
  TrainOptions options = tiny_options(60);
  const double full = train("f32", options).summary->train_loss;
  for (const DType dtype : {DType::bf16, DType::f16}) {
    options.dtype = dtype;
    EXPECT_NEAR(train(std::string(name_of(dtype)), options).summary->train_loss, full, 0.05)
        << name_of(dtype);
  }
}

TEST_F(TrainerTest, DivergenceStopsAndKeepsTheLastCheckpoint) {
  TrainOptions options = tiny_options(200);
  options.save_every = 1;
  options.clip = 0.0;
  options.schedule.lr = 1e6;
  options.schedule.warmup = 0;
  const Run run = train("run", options);
  ASSERT_FALSE(run.summary.ok());
  EXPECT_EQ(run.summary.error().code, ErrorCode::diverged);
  EXPECT_NE(run.summary.error().hint.find("train.lr"), std::string::npos);
  EXPECT_FALSE(fs::is_empty(root_ / "run/checkpoints"));
}

TEST_F(TrainerTest, ACheckpointOfAnotherRunIsAConflict) {
  TrainOptions options = tiny_options(4);
  (void)train("run", options, false, 2);
  options.batch = "4";
  options.finish().value();
  model::Decoder model = model::Decoder::create(small_config(), 3).value();
  Trainer trainer = pretrainer(model, {}, options, root_ / "run", {}).value();
  const Result<int64_t> resumed = trainer.resume();
  ASSERT_FALSE(resumed.ok());
  EXPECT_EQ(resumed.error().code, ErrorCode::conflict);
  EXPECT_NE(resumed.error().message.find("train.batch"), std::string::npos);
}

TEST_F(TrainerTest, StopsEarlyWithoutProgress) {
  TrainOptions options = tiny_options(400);
  options.eval_every = 5;
  options.early_stop = 2;
  options.schedule.lr = 0.05;
  const TrainSummary summary = train("run", options).summary.value();
  EXPECT_TRUE(summary.stopped_early);
  EXPECT_LT(summary.steps, 400);
}

TEST_F(TrainerTest, OldCheckpointsAreRemoved) {
  TrainOptions options = tiny_options(7);
  options.save_every = 1;
  options.keep = 3;
  (void)train("run", options);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(root_ / "run/checkpoints"))
    names.push_back(entry.path().filename());
  std::ranges::sort(names);
  EXPECT_EQ(names, (std::vector<std::string>{"step-00000005", "step-00000006", "step-00000007"}));
}

TEST_F(TrainerTest, ImpossibleSettingsNameTheNumbers) {
  TrainOptions options = tiny_options(4);
  options.sequence = "64";
  options.finish().value();
  model::Decoder model = model::Decoder::create(small_config(), 3).value();
  const auto too_long = pretrainer(model, {}, options, root_ / "run", {});
  ASSERT_FALSE(too_long.ok());
  EXPECT_NE(too_long.error().message.find("64"), std::string::npos);
  EXPECT_NE(too_long.error().message.find("32"), std::string::npos);
}

}  // namespace
}  // namespace quern::train
