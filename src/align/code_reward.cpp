#include <fmt/format.h>

#include <algorithm>

#include "align/checks.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/subprocess.h"
#include "base/threads.h"

namespace quern::align {

namespace {

constexpr size_t kMostOutput = size_t{1} << 20;

class CodeReward final : public Reward {
 public:
  explicit CodeReward(CodeRewardOptions options) : options_(std::move(options)) {}

  // A program without a line does not fail, unless what runs it is not there.
  Result<void> probe() const {
    const Result<std::string> nothing = run("");
    if (nothing.ok()) return {};
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("{} does not run an empty program: {}", options_.run[0], nothing.error().message),
        "it reads a program from its standard input, as 'python3 -' does");
  }

  Result<std::vector<double>> score(std::span<const Answered> answers) override {
    std::vector<Program> programs;
    for (const Answered& answer : answers) {
      QUERN_TRY(const std::string tests, tests_of(*answer.prompt));
      programs.push_back(with_last_line(fmt::format("{}\n{}\n", code_in(answer.text), tests)));
    }
    std::vector<double> scores(answers.size(), 0.0);
    std::vector<Error> failures(answers.size());
    parallel_for(static_cast<int64_t>(programs.size()), 1, [&](int64_t begin, int64_t end) {
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
        Result<std::string> output = run(programs[i].text);
        if (output.ok()) {
          scores[i] = last_word(*output) == programs[i].last ? 1.0 : 0.0;
        } else {
          failures[i] = std::move(output).error();
        }
      }
    });
    // Programs that fail are wrong answers; ones that cannot be started are none of theirs.
    for (Error& failure : failures) {
      if (failure.code == ErrorCode::not_found || failure.code == ErrorCode::permission ||
          failure.code == ErrorCode::io)
        return std::move(failure);
    }
    return scores;
  }

 private:
  struct Program {
    std::string text, last;
  };

  Program with_last_line(std::string text) const {
    Program program{std::move(text), {}};
    program.last = fmt::format("{:016x}", hash64(program.text));
    std::string line = options_.last;
    program.text += line.replace(line.find("{}"), 2, program.last) + "\n";
    return program;
  }

  static std::string_view last_word(std::string_view output) {
    const size_t end = output.find_last_not_of(" \r\n") + 1,
                 begin = output.substr(0, end).find_last_of(" \n") + 1;
    return output.substr(begin, end - begin);
  }

  Result<std::string> run(std::string_view program) const {
    std::vector<std::string> argv = {"prlimit", fmt::format("--as={}", options_.memory_bytes), "--core=0"};
    argv.insert(argv.end(), options_.run.begin(), options_.run.end());
    return run_program(argv, program, {.seconds = options_.seconds, .output_bytes = kMostOutput});
  }

  static Result<std::string> tests_of(const Prompt& prompt) {
    for (const char* key : {"tests", "test_list", "test"}) {
      const auto found = prompt.row.find(key);
      if (found == prompt.row.end()) continue;
      if (found->is_string()) return found->get<std::string>();
      const auto is_text = [](const auto& test) { return test.is_string(); };
      if (!found->is_array() || !std::ranges::all_of(*found, is_text)) break;
      std::string all;
      for (const auto& test : *found) all.append(test.get<std::string>()).append("\n");
      return all;
    }
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the prompt {} has no tests", json_excerpt(prompt.text)),
                      "its row needs \"tests\": lines of code, or a list of them");
  }

  CodeRewardOptions options_;
};

}  // namespace

std::string_view code_in(std::string_view text) {
  constexpr std::string_view kFence = "```";
  std::string_view code = text;
  for (size_t open = text.find(kFence); open != text.npos;) {
    const size_t line = text.find('\n', open), close = text.find(kFence, open + kFence.size());
    if (line == text.npos || close == text.npos) break;
    if (line < close) code = text.substr(line + 1, close - line - 1);
    open = text.find(kFence, close + kFence.size());
  }
  return code;
}

Result<std::unique_ptr<Reward>> code_reward(CodeRewardOptions options) {
  auto reward = std::make_unique<CodeReward>(std::move(options));
  QUERN_CHECK(reward->probe());
  return std::unique_ptr<Reward>(std::move(reward));
}

}  // namespace quern::align
