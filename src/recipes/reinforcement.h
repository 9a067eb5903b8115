// Settings of tasks in which a model learns from its own answers: how they are drawn, and what they are worth.
#pragma once

#include <string>
#include <vector>

#include "align/grpo.h"
#include "align/ppo.h"
#include "base/config.h"
#include "base/result.h"

namespace quern::recipes {

// The `rollout:` section.
struct RolloutConfig {
  align::RolloutOptions options;
  bool texts_as_messages = false;  // align::PromptOptions

  void fields(Fields& f);
};

// The `rewards:` section: each with its weight, 0 where it is not used.
struct RewardsConfig {
  struct Exact {
    double weight = 0.0;
    bool ignore_case = false;
    void fields(Fields& f);
  } exact;
  struct Numeric {
    double weight = 0.0;
    void fields(Fields& f);
  } numeric;
  struct Regex {
    double weight = 0.0;
    std::string pattern;
    bool whole = false;
    void fields(Fields& f);
  } regex;
  struct Schema {
    double weight = 0.0;
    std::string file;
    void fields(Fields& f);
  } json_schema;
  struct Length {
    double weight = 0.0;
    int64_t least = 1, most = 256;
    void fields(Fields& f);
  } length;
  struct Code {
    double weight = 0.0;
    std::vector<std::string> run = {"python3", "-I", "-"};
    std::string last = "print('{}')";
    double timeout = 10.0;
    int64_t memory = 1024;  // MiB
    void fields(Fields& f);
  } code;
  struct Command {
    double weight = 0.0;
    std::vector<std::string> run;
    double timeout = 60.0;
    void fields(Fields& f);
  } command;
  struct Model {
    double weight = 0.0;
    std::string path;
    void fields(Fields& f);
  } model;

  void fields(Fields& f);
  // Whether any is used.
  bool any() const;
  // Whether the prompts must have a reference.
  bool needs_references() const { return exact.weight != 0.0 || numeric.weight != 0.0; }
  // invalid_argument where there is none, or one lacks what it needs.
  Result<void> check() const;
  // Of answers in `language`; null where answers are known as texts alone, which no reward model reads. Errors of check(), of
  // reading files, and of the rewards; conflict for a reward model of another vocabulary.
  Result<align::Rewards> open(const infer::Language* language, DType dtype) const;
};

// The `ppo:` section.
struct PpoConfig {
  align::PpoOptions options;
  std::string values;  // the reward model that values begin with; empty: the model itself, with a score of 0

  void fields(Fields& f);
};

// The `grpo:` section.
struct GrpoConfig {
  align::GrpoOptions options;

  void fields(Fields& f);
};

}  // namespace quern::recipes
