// What an answer is worth: numbers that checks and models give to answers.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "align/prompts.h"
#include "base/result.h"

namespace quern::align {

// An answer, for those who judge it. Answers may hold anything: judges are not to be harmed by them.
struct Answered {
  const Prompt* prompt = nullptr;
  std::string_view text;  // without what ends it
  int64_t tokens = 0;
  bool ended = true;                    // otherwise it was cut off
  std::span<const int32_t> drawn = {};  // its tokens, with what ends it
};

// Not thread-safe.
class Reward {
 public:
  virtual ~Reward() = default;
  // A finite number for each answer; checks give 1 and 0. An error ends the step, not the run.
  virtual Result<std::vector<double>> score(std::span<const Answered> answers) = 0;
};

// Several rewards, weighed.
class Rewards {
 public:
  // Precondition: at least one is added before answers are scored.
  void add(std::string name, double weight, std::unique_ptr<Reward> reward) {
    parts_.push_back({std::move(name), weight, std::move(reward)});
  }
  bool empty() const { return parts_.empty(); }

  struct Scores {
    std::vector<double> total;               // of each answer: the sum of weight * reward
    std::vector<std::vector<double>> parts;  // [reward][answer], before weights
  };
  // The first error, with the name of its reward; invalid_argument for a reward that is no finite number.
  Result<Scores> score(std::span<const Answered> answers) const;

  std::vector<std::pair<std::string, double>> weights() const;
  // The mean of each over the answers, "reward_" before its name; nothing where there is one reward alone.
  std::vector<std::pair<std::string, double>> means(const Scores& scores) const;

 private:
  struct Part {
    std::string name;
    double weight;
    std::unique_ptr<Reward> reward;
  };
  std::vector<Part> parts_;
};

}  // namespace quern::align
