// Answers that a model gives itself, on their way to being learnt: which prompts come next, what the answers are worth, and
// how they lie in micro-batches. What objectives over own answers have in common.
#pragma once

#include <span>
#include <vector>

#include "align/prompts.h"
#include "align/reward.h"
#include "align/rollout.h"
#include "data/supervised_sampler.h"
#include "train/objective.h"

namespace quern::align {

// How answers lie in micro-batches: data::SupervisedOptions.
struct AnswerRows {
  int64_t sequence = 1024;
  int64_t rows = 1;
  bool packed = true;
};

// An answer to a prompt of a set. A view.
struct OwnAnswer {
  int64_t prompt = 0;
  std::span<const int32_t> tokens;
};
// Of structs with members prompt and tokens.
template <class Answer>
std::vector<OwnAnswer> views_of(const std::vector<Answer>& answers) {
  std::vector<OwnAnswer> views;
  views.reserve(answers.size());
  for (const Answer& answer : answers) views.push_back({answer.prompt, answer.tokens});
  return views;
}

// unsupported for another temperature than 1 where the logits of the model are capped or biased: probabilities at a
// temperature are computed from its states alone.
Result<void> check_temperature(const model::ModelConfig& config, const RolloutOptions& rollout);
// Tokens, of all sets.
int64_t longest_prompt(const PromptSets& prompts);

// The up to `count` prompts after the first `drawn` ones; fewer where an epoch ends, so that no step sees one twice.
std::vector<int64_t> next_prompts(const PromptSet& set, int64_t drawn, int64_t count, uint64_t seed);
std::vector<std::span<const int32_t>> tokens_of(const PromptSet& set, std::span<const int64_t> prompts);
// What answers are worth, of which `each` in a row are to one of `prompts`.
Result<Rewards::Scores> score(const Rewards& rewards, const PromptSet& set, std::span<const int64_t> prompts,
                              std::span<const Rollout> rollouts, int64_t each);
// "answer_tokens" and "cut_off".
std::vector<train::Figure> figures_of(std::span<const Rollout> rollouts);
// Prompts with their answers, which alone are learnt; documents of the sequences are indices of `answers`.
Result<data::SupervisedStep> lay_out(const PromptSet& set, std::span<const OwnAnswer> answers,
                                     const AnswerRows& rows);
// Answers all prompts of a set with the likeliest tokens; the loss is the mean reward, negated.
Result<train::Evaluation> evaluate_answers(const PromptSet& set, Rollouts& rollouts, const Rewards& rewards);

}  // namespace quern::align
