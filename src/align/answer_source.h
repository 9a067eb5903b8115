// AnswerSource: where a model that learns from its own answers gets them. It asks the prompts in their order, lets the model
// answer as it stands, and has the answers judged. What objectives over own answers have in common.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "align/prompts.h"
#include "align/reward.h"
#include "align/rollout.h"
#include "data/supervised_sampler.h"
#include "train/objective.h"
#include "train/trainer.h"
#include "train/tuning.h"

namespace quern::align {

// How answers lie in micro-batches: data::SupervisedOptions.
struct AnswerRows {
  int64_t sequence = 1024;
  int64_t rows = 1;
  bool packed = true;
};

// An answer to a prompt of the training set. A view.
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

// Not thread-safe.
class AnswerSource {
 public:
  // The model learns while it answers: `loaded` is what is trained, and its passes go through the adapter that learns.
  // Errors of Rollouts::create; unsupported for another temperature than 1 where logits are capped or biased, since
  // probabilities at a temperature are computed from states alone.
  static Result<AnswerSource> create(std::shared_ptr<const infer::LoadedModel> loaded, PromptSets prompts,
                                     Rewards rewards, const RolloutOptions& rollout, const AnswerRows& rows,
                                     const train::TuningOptions& tuning);

  struct Round {
    std::vector<int64_t>
        prompts;  // TuningOptions::batch; fewer where an epoch ends, so that none sees one twice
    std::vector<Rollout> answers;               // those to one prompt side by side
    Rewards::Scores scores;                     // of each answer
    double seconds = 0.0, judge_seconds = 0.0;  // of answering, and of what answers are worth
    // "reward", the mean; "reward_NAME" of each where there are several; "answer_tokens" and "cut_off": the mean length,
    // and the share of answers that the limit ended.
    std::vector<train::Figure> figures;
  };
  // `each` answers to each of the next prompts. The source stays where it is.
  Result<Round> next(int64_t each) const;
  // Goes on to the prompts behind those of `round`.
  void finish(const Round& round);

  // Prompts with their answers, which alone are learnt; documents of the sequences are indices of `answers`.
  Result<data::SupervisedStep> lay_out(std::span<const OwnAnswer> answers) const;
  // Answers all held-out prompts with the likeliest tokens; the loss is the mean reward, negated. Nothing where none are.
  Result<std::optional<train::Evaluation>> evaluate() const;

  const model::Decoder& model() const { return loaded_->model; }
  const RolloutOptions& rollout() const { return rollouts_->options(); }
  const train::TuningOptions& tuning() const { return tuning_; }
  // Finished, of the training set.
  double epochs() const { return static_cast<double>(drawn_) / static_cast<double>(prompts_.train.size()); }
  // The last prompt of the last round, and its answers with their rewards, for people. Empty before the first.
  const train::TextSample& last() const { return last_; }

  nlohmann::json state() const { return {{"prompts", drawn_}, {"rounds", rounds_}}; }
  void restore(const nlohmann::json& state);
  void describe(train::Fingerprint& print) const;

 private:
  AnswerSource(std::shared_ptr<const infer::LoadedModel> loaded, PromptSets prompts, Rewards rewards,
               Rollouts rollouts, const AnswerRows& rows, const train::TuningOptions& tuning);

  std::shared_ptr<const infer::LoadedModel> loaded_;
  PromptSets prompts_;
  Rewards rewards_;
  std::unique_ptr<Rollouts> rollouts_;
  AnswerRows rows_;
  train::TuningOptions tuning_;
  int64_t drawn_ = 0;  // prompts, through all epochs
  int64_t rounds_ = 0;
  train::TextSample last_;
};

}  // namespace quern::align
