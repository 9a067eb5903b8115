#include "cli/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cli/program.h"

namespace quern::cli {
namespace {

using ::testing::HasSubstr;

// The same rules for every command of the table, and those below it.
void check_commands(const std::vector<Command>& among, const std::vector<std::string>& path) {
  std::set<std::string> names;
  for (const Command& command : among) {
    SCOPED_TRACE(command.name);
    EXPECT_TRUE(names.insert(command.name).second) << "listed twice";
    EXPECT_FALSE(command.summary.empty());
    EXPECT_FALSE(command.summary.ends_with('.')) << "a phrase, without a full stop";
    EXPECT_TRUE(command.define != nullptr || !command.subcommands.empty())
        << "neither runs nor has sub-commands";
    std::vector<std::string> words = path;
    words.push_back(command.name);
    std::string typed = "quern";
    for (const std::string& word : words) typed += " " + word;
    if (command.define != nullptr) {
      EXPECT_THAT(command.examples, HasSubstr(typed)) << "--help needs a real example";
    }
    check_commands(command.subcommands, words);

    words.emplace_back("--help");
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(run_program(words), 0);
    EXPECT_THAT(::testing::internal::GetCapturedStdout(), HasSubstr("Usage: " + typed));
  }
}

TEST(Commands, EachHasSummaryExampleAndHelp) { check_commands(commands(), {}); }

TEST(Commands, OverviewListsAll) {
  for (const Command& command : commands()) EXPECT_THAT(overview(), HasSubstr(command.summary));
}

TEST(Commands, UnknownNamesAreToldTheNearest) {
  EXPECT_EQ(find_command(commands(), "version", "quern").value()->name, "version");
  EXPECT_EQ(find_command(commands(), "versoin", "quern").error().hint, "did you mean 'version'?");
}

}  // namespace
}  // namespace quern::cli
