#include "recipes/stage_timer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/temp_dir.h"

namespace quern::recipes {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

// An attempt that began `ago` and whose last file is `worked` younger.
void leave_attempt(const test::TempDir& dir, seconds ago, seconds worked, double earlier) {
  const fs::file_time_type began = fs::file_time_type::clock::now() - ago;
  const nlohmann::json note = {{"began", std::chrono::duration<double>(began.time_since_epoch()).count()},
                               {"earlier", earlier}};
  ASSERT_TRUE(write_file_atomic(dir / "attempt.json", note.dump()).ok());
  ASSERT_TRUE(make_directories(dir / "checkpoints").ok());
  ASSERT_TRUE(write_file_atomic(dir / "checkpoints/weights", "w").ok());
  for (const fs::path& path : {dir / "attempt.json", dir / "checkpoints"}) fs::last_write_time(path, began);
  fs::last_write_time(dir / "checkpoints/weights", began + worked);
}

TEST(StageTimer, AddsUpAttemptsToTheirLastFile) {
  const test::TempDir dir;
  leave_attempt(dir, seconds(1000), seconds(40), 5.0);
  const StageTimer timer = StageTimer::start(dir / "").value();
  EXPECT_GE(timer.seconds(), 44.9);
  EXPECT_LT(timer.seconds(), 500.0);
  // This attempt is killed at once: the sum stays.
  EXPECT_GE(StageTimer::start(dir / "")->seconds(), 44.9);
}

TEST(StageTimer, ForgetsWhatIsFinished) {
  const test::TempDir dir;
  leave_attempt(dir, seconds(1000), seconds(40), 5.0);
  StageTimer::start(dir / "")->finish();
  EXPECT_FALSE(fs::exists(dir / "attempt.json"));
  EXPECT_LT(StageTimer::start(dir / "")->seconds(), 30.0);
}

TEST(StageTimer, ADamagedNoteCountsAsNone) {
  const test::TempDir dir;
  for (const char* text : {"", "[]", "{\"began\": \"x\"}", "{\"began\": 1, \"earlier\": \"x\"}"}) {
    ASSERT_TRUE(write_file_atomic(dir / "attempt.json", text).ok());
    ASSERT_TRUE(StageTimer::start(dir / "").ok()) << text;
  }
}

}  // namespace
}  // namespace quern::recipes
