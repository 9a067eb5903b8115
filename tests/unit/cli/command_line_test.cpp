#include "cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "support/temp_dir.h"

namespace quern::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Settings {
  int64_t steps = 10;
  std::string path;
  void fields(Fields& f) {
    f.add("train.steps", steps, "steps").at_least(1);
    f.add("path", path, "corpus").required();
  }
};

class CommandLineTest : public ::testing::Test {
 protected:
  CommandLineTest() {
    line.config(settings, "RECIPE");
    line.config_flag("--steps", "train.steps");
    line.choice<int>("--mode", mode, "how", {{"slow", 1}, {"fast", 2}});
    line.app().add_flag("--resume", resume, "go on");
  }
  // "ok", "stop" or the error.
  std::string parse(std::vector<std::string> arguments) {
    ::testing::internal::CaptureStdout();
    const Result<bool> result = line.parse(std::move(arguments), context);
    std::fflush(stdout);
    out = ::testing::internal::GetCapturedStdout();
    return result.ok() ? (*result ? "ok" : "stop") : result.error().to_string();
  }

  const test::TempDir dir;
  Settings settings;
  bool resume = false;
  int mode = 2;
  Command command{.name = "train",
                  .summary = "train",
                  .details = {},
                  .examples = "quern train a.yaml",
                  .subcommands = {}};
  CommandLine line{"quern train", command};
  Context context;
  std::string out;
};

TEST_F(CommandLineTest, SettingsOverrideFlagsOverrideTheFile) {
  ASSERT_TRUE(write_file_atomic(dir / "r.yaml", "path: x\ntrain.steps: 5\n").ok());
  const std::string file = (dir / "r.yaml").string();
  EXPECT_EQ(parse({file, "--steps", "6", "--resume", "--json"}), "ok");
  EXPECT_EQ(settings.steps, 6);
  EXPECT_TRUE(resume);
  EXPECT_TRUE(context.json);
  EXPECT_EQ(settings.path, "x");
}

TEST_F(CommandLineTest, SetWins) {
  EXPECT_EQ(parse({"--set", "path=y", "--set", "train.steps=7", "--steps=6"}), "ok");
  EXPECT_EQ(settings.steps, 7);
}

TEST_F(CommandLineTest, AnOptionMayStandBehindSet) {
  ASSERT_TRUE(write_file_atomic(dir / "r.yaml", "path: x\n").ok());
  EXPECT_EQ(parse({"--set", "train.steps=7", (dir / "r.yaml").string()}), "ok");
  EXPECT_EQ(settings.steps, 7);
  EXPECT_EQ(settings.path, "x");
}

TEST_F(CommandLineTest, ErrorsNameTheFlag) {
  EXPECT_THAT(parse({"--steps", "0", "--set", "path=y"}),
              HasSubstr("--steps: train.steps must be integer >= 1, got '0'"));
}

TEST_F(CommandLineTest, RequiredSettingsAreAskedFor) {
  EXPECT_THAT(parse({}), HasSubstr("path is not set (corpus)"));
}

TEST_F(CommandLineTest, PrintsTheConfigAlsoWhenItIsIncomplete) {
  EXPECT_EQ(parse({"--print-config", "--steps", "3"}), "stop");
  EXPECT_THAT(out, HasSubstr("  steps: 3"));
}

TEST_F(CommandLineTest, HelpShowsOptionsSettingsAndExamples) {
  EXPECT_EQ(parse({"--steps", "many", "--help"}), "stop");
  EXPECT_THAT(out, HasSubstr("--resume"));
  EXPECT_THAT(out, HasSubstr("train.steps"));
  EXPECT_THAT(out, HasSubstr("  quern train a.yaml"));
}

TEST_F(CommandLineTest, UnknownOptionsNameTheNearest) {
  EXPECT_THAT(parse({"--resum"}), HasSubstr("unknown option '--resum'\n  hint: did you mean '--resume'?"));
}

TEST_F(CommandLineTest, OptionsOfGroupsAreNearToo) {
  bool schema = false;
  line.app().add_option_group("form")->add_flag("--json-schema", schema);
  EXPECT_THAT(parse({"--json-shema"}), HasSubstr("did you mean '--json-schema'?"));
}

TEST_F(CommandLineTest, HelpSaysWhichOptionsDoNotGoTogether) {
  bool fresh = false;
  line.app().add_flag("--fresh", fresh, "begin again")->excludes("--resume");
  EXPECT_EQ(parse({"--help"}), "stop");
  EXPECT_THAT(out, HasSubstr("begin again; not with --resume"));
  EXPECT_THAT(out, HasSubstr("go on; not with --fresh"));
  EXPECT_THAT(out, Not(HasSubstr("Excludes")));
}

TEST_F(CommandLineTest, ChoicesAreNamedWhenNoneFits) {
  EXPECT_THAT(parse({"--mode", "fats"}), HasSubstr("--mode: expected fast | slow, got 'fats'"));
}

TEST_F(CommandLineTest, ChoicesSetTheirValue) {
  EXPECT_EQ(parse({"--mode", "slow", "--set", "path=x"}), "ok");
  EXPECT_EQ(mode, 1);
}

TEST_F(CommandLineTest, ValuesMustFollowTheirOption) { EXPECT_THAT(parse({"--set"}), HasSubstr("--set")); }

TEST_F(CommandLineTest, SurplusArgumentsAreRefused) {
  EXPECT_THAT(parse({"a.yaml", "b.yaml"}), HasSubstr("unexpected argument 'b.yaml'"));
}

TEST_F(CommandLineTest, FlagsOfNoSettingAreADefect) {
  EXPECT_THROW(line.config_flag("--x", "train.x"), InternalError);
}

}  // namespace
}  // namespace quern::cli
