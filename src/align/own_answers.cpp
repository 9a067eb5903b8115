#include "align/own_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "align/mean.h"

namespace quern::align {

Result<void> check_temperature(const model::ModelConfig& config, const RolloutOptions& rollout) {
  if (rollout.temperature == 1.0 || (config.logit_softcap == 0.0 && !config.head_bias)) return {};
  return make_error(ErrorCode::unsupported,
                    fmt::format("rollout.temperature is {}, and this model's logits are capped or biased",
                                rollout.temperature),
                    "draw answers at temperature 1");
}

int64_t longest_prompt(const PromptSets& prompts) {
  return std::max(prompts.train.longest(), prompts.validation ? prompts.validation->longest() : int64_t{0});
}

std::vector<int64_t> next_prompts(const PromptSet& set, int64_t drawn, int64_t count, uint64_t seed) {
  std::vector<int64_t> chosen;
  const int64_t left = set.size() - drawn % set.size();
  for (int64_t i = 0; i < std::min(count, left); ++i) chosen.push_back(set.drawn(drawn + i, seed));
  return chosen;
}

std::vector<std::span<const int32_t>> tokens_of(const PromptSet& set, std::span<const int64_t> prompts) {
  std::vector<std::span<const int32_t>> tokens;
  for (const int64_t prompt : prompts) tokens.emplace_back(set[prompt].tokens);
  return tokens;
}

Result<Rewards::Scores> score(const Rewards& rewards, const PromptSet& set, std::span<const int64_t> prompts,
                              std::span<const Rollout> rollouts, int64_t each) {
  std::vector<Answered> answers;
  for (size_t i = 0; i < rollouts.size(); ++i) {
    const Rollout& rollout = rollouts[i];
    const auto tokens = static_cast<int64_t>(rollout.tokens.size()) - (rollout.ended ? 1 : 0);
    const int64_t prompt = prompts[i / static_cast<size_t>(each)];
    answers.push_back({&set[prompt], rollout.text, tokens, rollout.ended, rollout.tokens});
  }
  return rewards.score(answers);
}

std::vector<train::Figure> figures_of(std::span<const Rollout> rollouts) {
  double tokens = 0.0, cut_off = 0.0;
  for (const Rollout& rollout : rollouts) {
    tokens += static_cast<double>(rollout.tokens.size());
    cut_off += rollout.ended ? 0.0 : 1.0;
  }
  const auto count = static_cast<double>(rollouts.size());
  return {{"answer_tokens", tokens / count}, {"cut_off", cut_off / count}};
}

Result<data::SupervisedStep> lay_out(const PromptSet& set, std::span<const OwnAnswer> answers,
                                     const AnswerRows& rows) {
  std::vector<data::TokenDocument> documents;
  for (const OwnAnswer& answer : answers) {
    data::TokenDocument& document = documents.emplace_back();
    document.tokens = set[answer.prompt].tokens;
    document.learnt.assign(document.tokens.size(), 0);
    document.tokens.insert(document.tokens.end(), answer.tokens.begin(), answer.tokens.end());
    document.learnt.resize(document.tokens.size(), 1);
  }
  const auto count = static_cast<int64_t>(documents.size());
  QUERN_TRY(const data::SupervisedSampler sampler,
            data::SupervisedSampler::create(
                data::TokenDataset::from_examples(data::TokenContent::supervised, documents),
                {.sequence = rows.sequence, .rows = rows.rows, .packed = rows.packed, .shuffle = false}));
  return sampler.step(0, count);
}

Result<train::Evaluation> evaluate_answers(const PromptSet& set, Rollouts& rollouts, const Rewards& rewards) {
  std::vector<int64_t> all(static_cast<size_t>(set.size()));
  std::iota(all.begin(), all.end(), int64_t{0});
  QUERN_TRY(const std::vector<Rollout> answers, rollouts.greedy(tokens_of(set, all)));
  QUERN_TRY(const Rewards::Scores scores, score(rewards, set, all, answers, 1));
  const double reward = mean_of(scores.total);
  train::Evaluation evaluation{.loss = -reward, .figures = {{"reward", reward}}};
  for (const auto& more : {rewards.means(scores), figures_of(answers)})
    evaluation.figures.insert(evaluation.figures.end(), more.begin(), more.end());
  for (const Rollout& answer : answers) evaluation.tokens += static_cast<int64_t>(answer.tokens.size());
  return evaluation;
}

}  // namespace quern::align
