// Group-relative policy optimisation: a model learns from rewards of its own answers, each beside the others to the same
// prompt, without a model of values (GRPO, arXiv 2402.03300).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "align/answers.h"
#include "align/own_answers.h"
#include "align/policy_loss.h"
#include "align/reference.h"
#include "train/objective.h"
#include "train/tuning.h"

namespace quern::align {

struct GrpoOptions {
  int64_t group = 8;    // answers to each prompt, at least 2
  int64_t updates = 1;  // steps that learn from the same answers
  bool scaled = true;   // advantages are divided by the standard deviation of the group
  Aggregation aggregation = Aggregation::dapo;
  PolicyLossOptions loss = {};
};

// A step draws TuningOptions::batch prompts, or takes the answers of the step before, as often as `updates` says. Its
// metrics:
//
//   reward, reward_std           means, of the groups' standard deviations; reward_NAME of each where there are several
//   flat_groups                  share of groups whose answers are all worth the same, which teach nothing
//   answer_tokens, cut_off       mean length, and share of the answers that max_tokens ended
//   entropy                      of the tokens, estimated by -log p of those that were drawn
//   kl, clipped                  mean estimate of the distance to the reference; share of tokens past a bound of the ratio
//   rollout_gap                  the largest difference of log p of a token as the engine drew it and as it is learnt, when
//                                answers are learnt first
//   generate_seconds, generated_per_second, update_seconds
//   generate_share               of the time of all updates that learn from the answers, and of giving them
//
// An evaluation answers the held-out prompts with the likeliest tokens; its loss is the mean reward, negated.
class Grpo final : public train::Objective {
 public:
  // The model learns while it answers: `loaded` is what is trained, and its passes go through the adapter that learns.
  // No reference where loss.beta is 0. Errors of Rollouts::create; unsupported for another temperature than 1 where logits
  // are capped or biased.
  static Result<Grpo> create(std::shared_ptr<const infer::LoadedModel> loaded,
                             std::optional<Reference> reference, PromptSets prompts, Rewards rewards,
                             const RolloutOptions& rollout, const GrpoOptions& grpo, const AnswerRows& rows,
                             const train::TuningOptions& options);

  // An error of a reward leaves everything as it was before the step.
  Result<train::StepLoss> accumulate(const train::StepRequest& request) override;
  Result<std::optional<train::Evaluation>> evaluate(int64_t step) override;
  nlohmann::json state() const override;
  Result<void> restore(const nlohmann::json& state) override;
  void describe(train::Fingerprint& print) const override;

  // Of the last group of answers: its prompt, and each answer with its reward. Empty before the first step.
  std::string last_prompt() const;
  std::string last_answers() const;

 private:
  struct Answer {
    int64_t prompt = 0;  // of the training set
    std::vector<int32_t> tokens;
    std::vector<double> drawn;   // log-probabilities as the engine drew them; unknown after a restart
    std::vector<double> before;  // as they were when it was learnt first
    double advantage = 0.0;
    // For people.
    std::string text;
    double reward = 0.0;
  };
  struct Batch {
    std::vector<Answer> answers = {};
    int64_t prompts = 0;
    int64_t updates = 0;  // that learnt from it
    std::vector<train::Figure> figures = {};
    double generate_seconds = 0.0, gap = 0.0;
    int64_t generated = 0;
  };
  struct Sums;

  Grpo(std::shared_ptr<const infer::LoadedModel> loaded, std::optional<Reference> reference,
       PromptSets prompts, Rewards rewards, Rollouts rollouts, const GrpoOptions& grpo,
       const AnswerRows& rows, const train::TuningOptions& options);
  Result<Batch> answer() const;
  void learn(const data::SupervisedBatch& micro_batch, const nn::ForwardContext& context,
             const StepAnswers& step, double scale, Batch& batch, Sums& sums) const;

  std::shared_ptr<const infer::LoadedModel> loaded_;
  std::optional<Reference> reference_;
  PromptSets prompts_;
  Rewards rewards_;
  std::unique_ptr<Rollouts> rollouts_;
  GrpoOptions grpo_;
  AnswerRows rows_;
  train::TuningOptions options_;
  int64_t drawn_ = 0;   // prompts, through all epochs
  int64_t rounds_ = 0;  // batches of answers
  Batch batch_;         // of the last round
};

}  // namespace quern::align
