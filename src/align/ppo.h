// Proximal policy optimisation of a language model, as in InstructGPT (arXiv 2203.02155): it learns from a reward of its own
// answers, less their distance to a reference, beside a model of values that learns what is to be expected of each token.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "align/answer_source.h"
#include "align/gae.h"
#include "align/policy_loss.h"
#include "align/reference.h"
#include "align/token_values.h"
#include "train/objective.h"
#include "train/tuning.h"

namespace quern::align {

struct PpoOptions {
  int64_t updates = 4;               // steps that learn from the same answers
  double clip = 0.2;                 // of the ratio
  double value_clip = 0.2;           // how far a value may go from what it was
  double value_weight = 0.1;         // of the loss of values
  double missing_end_penalty = 0.0;  // taken from the reward of an answer that the limit ended
  GaeOptions gae = {};
  KlControl kl = {};  // as it begins
};

// A step answers the next prompts, each once, or takes the answers of the step before, as often as `updates` says. The loss is the mean over all tokens of that of the policy (PolicyLoss, with whitened advantages) and
// value_weight times that of their values (ValueLoss). Its metrics:
//
//   reward                       mean, before penalties; reward_NAME of each where there are several
//   kl, kl_weight                of whole answers, log p - log p_ref of their tokens; what it was weighed with
//   explained_variance           of the returns, by the values as the answers were given
//   answer_tokens, cut_off       mean length, and share of the answers that the limit ended
//   rollout_gap                  the largest difference of log p of a token as the engine drew it and as it is learnt
//   policy_loss, clipped, ratio  means over tokens: the share past a bound of the ratio, and the ratio itself
//   value_loss, value_clipped    the same of values
//   entropy                      of the tokens, estimated by -log p of those that were drawn
//   generate_seconds, judge_seconds, update_seconds
//                                judging: rewards, reference and values of the answers
//   generate_share               of the time of judging and of all updates that learn from the answers, and of giving them
//
// An evaluation answers the held-out prompts with the likeliest tokens; its loss is the mean reward, negated.
class Ppo final : public train::Objective {
 public:
  Ppo(AnswerSource source, Reference reference, ValueModel values, const PpoOptions& options)
      : source_(std::move(source)),
        reference_(std::move(reference)),
        values_(std::move(values)),
        options_(options),
        kl_(options.kl) {}

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
    // Of each token, as it was when the answer was given.
    std::vector<double> log_probs = {}, values = {}, advantages = {}, returns = {};
  };
  struct Batch {
    std::vector<Answer> answers = {};
    int64_t updates = 0;  // that learnt from it
    double kl = 0.0;      // mean distance of an answer to the reference
    std::vector<train::Figure> figures = {};
    double generate_seconds = 0.0, judge_seconds = 0.0;
  };
  struct Sums;

  bool learns_again() const { return batch_.updates > 0 && batch_.updates < options_.updates; }
  Result<Batch> batch_of(const AnswerSource::Round& round) const;
  double judge(const AnswerSource::Round& round, const data::SupervisedStep& step, Batch& batch) const;
  void learn(const data::SupervisedBatch& micro_batch, const nn::ForwardContext& context, double share,
             double scale, Sums& sums) const;

  AnswerSource source_;
  Reference reference_;
  ValueModel values_;
  PpoOptions options_;
  KlControl kl_;  // as it is now
  Batch batch_;   // of the last round
};

}  // namespace quern::align
