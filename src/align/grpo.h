// Group-relative policy optimisation: a model learns from rewards of its own answers, each beside the others to the same
// prompt, without a model of values (GRPO, arXiv 2402.03300).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "align/answer_source.h"
#include "align/answers.h"
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

// A step answers the next prompts, or takes the answers of the step before, as often as `updates` says. Its
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
  // No reference where loss.beta is 0.
  Grpo(AnswerSource source, std::optional<Reference> reference, const GrpoOptions& options)
      : source_(std::move(source)), reference_(std::move(reference)), options_(options) {}

  // An error of a reward leaves everything as it was before the step.
  Result<train::StepLoss> accumulate(const train::StepRequest& request) override;
  Result<std::optional<train::Evaluation>> evaluate(int64_t) override { return source_.evaluate(); }
  nlohmann::json state() const override;
  Result<void> restore(const nlohmann::json& state) override;
  void describe(train::Fingerprint& print) const override;

  const AnswerSource& source() const { return source_; }

 private:
  struct Answer {
    int64_t prompt = 0;  // of the training set
    std::vector<int32_t> tokens;
    std::vector<double> drawn;   // log-probabilities as the engine drew them; unknown after a restart
    std::vector<double> before;  // as they were when it was learnt first
    double advantage = 0.0;
  };
  struct Batch {
    std::vector<Answer> answers = {};
    int64_t updates = 0;  // that learnt from it
    std::vector<train::Figure> figures = {};
    double generate_seconds = 0.0, gap = 0.0;
    int64_t generated = 0;
  };
  struct Sums;

  bool learns_again() const { return batch_.updates > 0 && batch_.updates < options_.updates; }
  Batch batch_of(AnswerSource::Round round) const;
  void learn(const data::SupervisedBatch& micro_batch, const nn::ForwardContext& context,
             const StepAnswers& step, double scale, Batch& batch, Sums& sums) const;

  AnswerSource source_;
  std::optional<Reference> reference_;
  GrpoOptions options_;
  Batch batch_;  // of the last round
};

}  // namespace quern::align
