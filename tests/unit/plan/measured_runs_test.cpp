#include "plan/measured_runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "model/family.h"
#include "model/presets.h"
#include "support/temp_dir.h"

namespace quern::plan {
namespace {

using test::TempDir;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

void write_run(const fs::path& folder, const nlohmann::json& result) {
  write(folder / "model" / "config.json", model::write_config(model::gpt2_small())->dump());
  write(folder / "run.json", nlohmann::json{{"result", result}}.dump());
}

TEST(MeasuredRuns, ReadsRowsAndNamesThemByLine) {
  const TempDir dir;
  const fs::path file = dir.path() / "runs.jsonl";
  write(file,
        "{\"parameters\": 1e6, \"tokens\": 2e8, \"loss\": 3.5}\n\n{\"parameters\": 2000000, \"tokens\": "
        "100, \"loss\": 4, \"note\": \"x\"}");
  const auto runs = read_runs(file).value();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].run.parameters, 1e6);
  EXPECT_EQ(runs[1].run.loss, 4.0);
  EXPECT_THAT(runs[1].name, HasSubstr("runs.jsonl:3"));
}

TEST(MeasuredRuns, BadRowsAreNamed) {
  const TempDir dir;
  const fs::path file = dir.path() / "runs.jsonl";
  for (const auto& [row, problem] :
       {std::pair{"{\"parameters\": 1, \"tokens\": 1}", "loss: expected a number"},
        std::pair{"{\"parameters\": 1,", "not valid JSON"},
        std::pair{"[1, 2]", "parameters: expected a number"},
        std::pair{"{\"parameters\": 1, \"tokens\": -1, \"loss\": 1}", "positive"}}) {
    write(file, std::string(row) + "\n");
    const auto runs = read_runs(file);
    ASSERT_FALSE(runs.ok()) << row;
    EXPECT_THAT(runs.error().message, HasSubstr(problem));
    EXPECT_THAT(runs.error().message, HasSubstr("runs.jsonl:1"));
  }
  EXPECT_EQ(read_runs(dir.path() / "absent").error().code, ErrorCode::not_found);
}

TEST(MeasuredRuns, ReadsFoldersOfTrainAndFoldersOfThose) {
  const TempDir dir;
  write_run(dir.path() / "b", {{"tokens", 1000}, {"train_loss", 3.0}, {"validation_loss", 3.25}});
  write_run(dir.path() / "a", {{"tokens", 500}, {"train_loss", 3.5}});
  fs::create_directories(dir.path() / "other");
  const auto both = read_runs(dir.path()).value();
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].run.loss, 3.5) << "nothing was held out";
  EXPECT_EQ(both[1].run.loss, 3.25);
  EXPECT_EQ(both[1].run.parameters, 124439808);
  EXPECT_EQ(both[1].run.tokens, 1000);
  EXPECT_EQ(read_runs(dir.path() / "b")->size(), 1u);
}

TEST(MeasuredRuns, UnfinishedRunsAreRefused) {
  const TempDir dir;
  write(dir.path() / "metrics.jsonl", "{}\n");
  const auto runs = read_runs(dir.path());
  ASSERT_FALSE(runs.ok());
  EXPECT_THAT(runs.error().message, HasSubstr("did not finish"));
  EXPECT_THAT(runs.error().hint, HasSubstr("--resume"));
}

}  // namespace
}  // namespace quern::plan
