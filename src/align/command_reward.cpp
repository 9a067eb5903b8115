#include <fmt/format.h>

#include <charconv>

#include "align/checks.h"
#include "base/json.h"
#include "base/subprocess.h"

namespace quern::align {

namespace {

class CommandReward final : public Reward {
 public:
  CommandReward(std::vector<std::string> argv, double seconds)
      : argv_(std::move(argv)), limits_{.seconds = seconds} {}

  Result<std::vector<double>> score(std::span<const Answered> answers) override {
    std::string lines;
    for (const Answered& answer : answers) {
      nlohmann::ordered_json row = answer.prompt->row;
      row["prompt"] = answer.prompt->text;
      row["answer"] = answer.text;
      row["reference"] = answer.prompt->reference;
      lines += row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    }
    QUERN_TRY(const std::string output, run_program(argv_, lines, limits_));
    return read(output, answers.size());
  }

 private:
  Result<std::vector<double>> read(std::string_view output, size_t count) const {
    std::vector<double> scores;
    while (!output.empty()) {
      const std::string_view line = output.substr(0, output.find('\n'));
      output.remove_prefix(std::min(line.size() + 1, output.size()));
      double value = 0.0;
      const auto [end, failed] = std::from_chars(line.data(), line.data() + line.size(), value);
      const bool rest_is_blank =
          line.find_first_not_of(" \t\r", static_cast<size_t>(end - line.data())) == std::string_view::npos;
      if (failed != std::errc() || !rest_is_blank)
        return bad(fmt::format("line {}: expected a number, got {}", scores.size() + 1,
                               json_excerpt(std::string(line))));
      scores.push_back(value);
    }
    if (scores.size() != count)
      return bad(fmt::format("expected {} lines with a number, got {}", count, scores.size()));
    return scores;
  }

  Error bad(const std::string& what) const {
    return make_error(ErrorCode::invalid_argument, fmt::format("{}: {}", argv_[0], what),
                      "it reads a line of JSON for each answer, and writes a line with a number for each");
  }

  std::vector<std::string> argv_;
  ProgramLimits limits_;
};

}  // namespace

std::unique_ptr<Reward> command_reward(std::vector<std::string> argv, double seconds) {
  return std::make_unique<CommandReward>(std::move(argv), seconds);
}

}  // namespace quern::align
