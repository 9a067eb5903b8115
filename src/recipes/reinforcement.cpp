#include "recipes/reinforcement.h"

#include <fmt/format.h>

#include "align/checks.h"
#include "align/reward_of_model.h"
#include "base/file.h"

namespace quern::recipes {

namespace {

constexpr uint64_t kMaxSchema = uint64_t{1} << 20;

Field& add_weight(Fields& f, double& weight, std::string_view what) {
  return f.add("weight", weight, fmt::format("of {}; 0: not used", what));
}

Error missing(std::string_view key) {
  return make_error(ErrorCode::invalid_argument, fmt::format("rewards.{} is not set", key),
                    "a reward with a weight needs it");
}

}  // namespace

void RolloutConfig::fields(Fields& f) {
  f.add("max_tokens", options.max_tokens, "of an answer, at most").at_least(1);
  f.add("temperature", options.temperature, "at which answers are drawn, and learnt").range(0.01, 100);
  f.add("top_k", options.top_k, "draw from the k likeliest tokens; 0: from all").at_least(0);
  f.add("top_p", options.top_p, "draw from the fewest tokens with this share").range(0.01, 1);
  f.add("at_once", options.at_once, "answers given at a time").range(1, 4096);
  f.add("decoded", options.decoded,
        "over a quantised model: draw answers with the weights as they are learnt with; false: with products "
        "of "
        "8 bits, as it is served");
  f.add("texts_as_messages", texts_as_messages,
        "prompts that are texts become a message of the user; otherwise no template is put around them");
}

void RewardsConfig::Exact::fields(Fields& f) {
  add_weight(f, weight, "answers that are the reference, but for white space");
  f.add("ignore_case", ignore_case, "A is a");
}

void RewardsConfig::Numeric::fields(Fields& f) {
  add_weight(f, weight,
             "answers whose number is that of the reference: behind ####, in \\boxed{}, or the last");
}

void RewardsConfig::Regex::fields(Fields& f) {
  add_weight(f, weight, "answers in which a regular expression matches");
  f.add("pattern", pattern, "the regular expression");
  f.add("whole", whole, "it must match all of the answer");
}

void RewardsConfig::Schema::fields(Fields& f) {
  add_weight(f, weight, "answers that are JSON and follow a schema");
  f.add("file", file, "of the schema");
}

void RewardsConfig::Length::fields(Fields& f) {
  add_weight(f, weight, "answers that end, and whose length is within bounds");
  f.add("least", least, "tokens").at_least(0);
  f.add("most", most, "tokens").at_least(0);
}

void RewardsConfig::Code::fields(Fields& f) {
  add_weight(f, weight,
             "answers whose code passes the tests of the row (\"tests\"); it runs with your rights");
  f.add("run", run, "what reads a program from its standard input; put a sandbox before it");
  f.add("last", last,
        "the line behind the tests, which writes the word {}: who ends the program before it passes none");
  f.add("timeout", timeout, "seconds for each answer").range(0.01, 3600);
  f.add("memory", memory, "MiB of addresses for each").range(16, 1 << 20);
}

void RewardsConfig::Command::fields(Fields& f) {
  add_weight(f, weight,
             "what a program says: it reads a line of JSON for each answer (prompt, answer, reference) and "
             "writes a line with a number for each");
  f.add("run", run, "the program and its arguments; no shell");
  f.add("timeout", timeout, "seconds that it may take for the answers of a step").range(0.01, 86400);
}

void RewardsConfig::Model::fields(Fields& f) {
  add_weight(f, weight, "what a reward model says (task reward)");
  f.add("path", path, "its folder, or that of its adapter");
}

void RewardsConfig::fields(Fields& f) {
  f.group("exact", exact);
  f.group("numeric", numeric);
  f.group("regex", regex);
  f.group("json_schema", json_schema);
  f.group("length", length);
  f.group("code", code);
  f.group("command", command);
  f.group("model", model);
}

bool RewardsConfig::any() const {
  return exact.weight != 0.0 || numeric.weight != 0.0 || regex.weight != 0.0 || json_schema.weight != 0.0 ||
         length.weight != 0.0 || code.weight != 0.0 || command.weight != 0.0 || model.weight != 0.0;
}

Result<void> RewardsConfig::check() const {
  if (!any()) {
    return make_error(ErrorCode::invalid_argument,
                      "no answer is worth anything: all weights of rewards are 0",
                      "set rewards.numeric.weight=1, or that of another reward");
  }
  if (regex.weight != 0.0 && regex.pattern.empty()) return missing("regex.pattern");
  if (json_schema.weight != 0.0 && json_schema.file.empty()) return missing("json_schema.file");
  if (code.weight != 0.0 && code.run.empty()) return missing("code.run");
  if (code.weight != 0.0 && code.last.find("{}") == std::string::npos) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("rewards.code.last: expected {{}} in it, got {}", code.last),
                      "a line that writes a word, such as print('{}')");
  }
  if (command.weight != 0.0 && command.run.empty()) return missing("command.run");
  if (model.weight != 0.0 && model.path.empty()) return missing("model.path");
  return {};
}

Result<align::Rewards> RewardsConfig::open(const infer::Language* language, DType dtype) const {
  QUERN_CHECK(check());
  align::Rewards rewards;
  if (exact.weight != 0.0) rewards.add("exact", exact.weight, align::exact_reward(exact.ignore_case));
  if (numeric.weight != 0.0) rewards.add("numeric", numeric.weight, align::numeric_reward());
  if (regex.weight != 0.0) {
    QUERN_TRY(std::unique_ptr<align::Reward> reward, align::regex_reward(regex.pattern, regex.whole));
    rewards.add("regex", regex.weight, std::move(reward));
  }
  if (json_schema.weight != 0.0) {
    QUERN_TRY(const std::string schema, read_file(json_schema.file, kMaxSchema));
    Result<std::unique_ptr<align::Reward>> reward = align::schema_reward(schema);
    if (!reward.ok()) return std::move(reward).error().within(json_schema.file);
    rewards.add("json_schema", json_schema.weight, *std::move(reward));
  }
  if (length.weight != 0.0)
    rewards.add("length", length.weight, align::length_reward(length.least, length.most));
  if (code.weight != 0.0) {
    Result<std::unique_ptr<align::Reward>> reward = align::code_reward(
        {.run = code.run, .last = code.last, .seconds = code.timeout, .memory_bytes = code.memory << 20});
    if (!reward.ok()) return std::move(reward).error().within("rewards.code.run");
    rewards.add("code", code.weight, *std::move(reward));
  }
  if (command.weight != 0.0)
    rewards.add("command", command.weight, align::command_reward(command.run, command.timeout));
  if (model.weight != 0.0) {
    if (language == nullptr) {
      return make_error(ErrorCode::unsupported,
                        "rewards.model: a reward model reads tokens, and an endpoint gives texts",
                        "let a model on this machine answer, or judge in another way: rewards.command");
    }
    Result<infer::LoadedReward> opened = infer::open_reward_model(model.path, dtype);
    if (!opened.ok()) return std::move(opened).error().within("rewards.model.path");
    infer::LoadedReward reward = *std::move(opened);
    if (reward.tokenizer.to_json() != language->tokenizer.to_json()) {
      return make_error(
          ErrorCode::conflict,
          fmt::format("{}: the reward model has another vocabulary than the model that answers", model.path),
          "train it from the model that answers: task reward");
    }
    rewards.add("model", model.weight, align::reward_of_model(std::move(reward)));
  }
  return rewards;
}

void PpoConfig::fields(Fields& f) {
  f.add("updates", options.updates, "steps that learn from the same answers").range(1, 1000);
  f.add("clip", options.clip, "the ratio of probabilities counts from 1 - clip to 1 + clip").range(0, 1);
  f.add("value_clip", options.value_clip, "how far a value may go from what it was").at_least(0);
  f.add("value_weight", options.value_weight, "of the loss of values").at_least(0);
  f.add("missing_end_penalty", options.missing_end_penalty,
        "taken from the reward of answers that the limit of tokens ended")
      .at_least(0);
  f.add("gamma", options.gae.gamma, "what a reward one token later is worth").range(0, 1);
  f.add("lambda", options.gae.lambda, "of advantages: 0 trusts values, 1 rewards").range(0, 1);
  f.add("kl.weight", options.kl.weight, "of the distance to the model as it was").at_least(0);
  f.add("kl.target", options.kl.target,
        "distance of an answer, in nats, that the weight is led to; 0: it stays")
      .at_least(0);
  f.add("kl.horizon", options.kl.horizon, "answers over which the weight gives way").at_least(1);
  f.add("values", values, "reward model that values begin with; empty: the model itself with a score of 0");
}

void GrpoConfig::fields(Fields& f) {
  using align::Aggregation;
  f.add("group", options.group, "answers to each prompt").range(2, 4096);
  f.add("updates", options.updates, "steps that learn from the same answers").range(1, 1000);
  f.add("aggregation", options.aggregation, "how the losses of tokens make that of a step",
        {{"grpo", Aggregation::grpo}, {"dapo", Aggregation::dapo}, {"dr_grpo", Aggregation::dr_grpo}});
  f.add("scaled", options.scaled, "advantages are divided by the standard deviation of the group");
  f.add("clip_low", options.loss.clip_low, "the ratio of probabilities counts down to 1 - clip_low")
      .range(0, 1);
  f.add("clip_high", options.loss.clip_high, "and up to 1 + clip_high").at_least(0);
  f.add("beta", options.loss.beta, "weight of the distance to the model as it was; 0: none").at_least(0);
}

}  // namespace quern::recipes
