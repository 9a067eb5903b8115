#include "align/reward_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "autograd/graph.h"
#include "ops/embedding.h"
#include "ops/reshape.h"

namespace quern::align {

TextRewards::TextRewards(const model::RewardModel& model, const data::SupervisedBatch& batch,
                         const nn::ForwardContext& context) {
  const Tensor states = model.decoder().hidden(batch.tokens, context);
  const int64_t time = batch.tokens.dim(1);
  const auto tokens = batch.tokens.span<int32_t>();
  std::vector<int32_t> places;
  for (const data::SupervisedSequence& sequence : batch.sequences) {
    const int64_t first = sequence.row * time + sequence.begin;
    const auto text = tokens.subspan(static_cast<size_t>(first), static_cast<size_t>(sequence.length));
    places.push_back(static_cast<int32_t>(first + model.place_of_reward(text)));
  }
  const auto count = static_cast<int64_t>(places.size());
  const Tensor rows = ops::reshape(states, {states.shape().rows(), states.dim(-1)});
  rewards_ = model.values(ops::embedding(Tensor::from(places, {count}), rows, states.dtype()));
}

void TextRewards::backward(std::span<const double> d_rewards) const {
  const Tensor seed(rewards_.shape(), rewards_.dtype());
  std::ranges::transform(d_rewards, seed.data<float>(), [](double d) { return static_cast<float>(d); });
  autograd::backward(rewards_, seed);
}

// Over pairs.
struct RewardTraining::Sums {
  int64_t pairs = 0;
  double loss = 0.0, margin = 0.0, reward = 0.0, square = 0.0;
  RewardCalibration calibration;

  void add(double chosen, double rejected, double lost) {
    ++pairs;
    loss += lost;
    margin += chosen - rejected;
    reward += chosen + rejected;
    square += chosen * chosen + rejected * rejected;
    calibration.add(chosen, rejected);
  }
  double mean_loss() const { return loss / static_cast<double>(pairs); }
  std::vector<train::Figure> figures() const {
    const double answers = 2.0 * static_cast<double>(pairs), mean = reward / answers;
    return {{"accuracy", calibration.accuracy()},
            {"margin", margin / static_cast<double>(pairs)},
            {"reward_mean", mean},
            {"reward_std", std::sqrt(std::max(square / answers - mean * mean, 0.0))}};
  }
};

Result<RewardTraining> RewardTraining::create(std::shared_ptr<const model::RewardModel> model,
                                              data::SupervisedSampler train,
                                              std::optional<data::SupervisedSampler> validation,
                                              const RewardLossOptions& loss,
                                              const train::TuningOptions& options) {
  for (const data::SupervisedSampler* examples : {&train, validation ? &*validation : nullptr}) {
    if (examples == nullptr) continue;
    QUERN_CHECK(train::check_examples(model->config(), *examples));
    if (examples->dataset().content() == data::TokenContent::preferences) continue;
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the examples are {}, and preferences are needed",
                                  data::name_of(examples->dataset().content())),
                      "prepare rows with prompt, chosen and rejected");
  }
  return RewardTraining(std::move(model), std::move(train), std::move(validation), loss, options);
}

RewardTraining::RewardTraining(std::shared_ptr<const model::RewardModel> model, data::SupervisedSampler train,
                               std::optional<data::SupervisedSampler> validation,
                               const RewardLossOptions& loss, const train::TuningOptions& options)
    : model_(std::move(model)),
      train_(std::move(train)),
      validation_(std::move(validation)),
      loss_(loss),
      options_(options) {}

// Adds what the pairs of a batch lose to `sums`, and where anything is recorded, their gradient times `scale` to the
// model.
void RewardTraining::learn(const data::SupervisedStep& step, const data::SupervisedBatch& batch,
                           const nn::ForwardContext& context, double scale, Sums& sums) const {
  const TextRewards rewards(*model_, batch, context);
  const double share = scale / static_cast<double>(step.examples);
  std::vector<double> d_rewards(batch.sequences.size());
  for (size_t i = 0; i < d_rewards.size(); i += 2) {
    const RewardLoss pair = reward_loss(rewards[i], rewards[i + 1], double{batch.sequences[i].value}, loss_);
    d_rewards[i] = share * pair.d_chosen;
    d_rewards[i + 1] = share * pair.d_rejected;
    sums.add(rewards[i], rewards[i + 1], pair.loss);
  }
  if (autograd::grad_enabled()) rewards.backward(d_rewards);
}

Result<train::StepLoss> RewardTraining::accumulate(const train::StepRequest& request) {
  const data::SupervisedStep step = train_.step(drawn_, options_.batch);
  train::StepLoss result{.targets = step.targets, .tokens = step.tokens};
  Sums sums;
  for (const data::SupervisedBatch& batch : step.micro_batches) {
    learn(step, batch, training_context(batch, options_, request.micro_batches + result.micro_batches++),
          request.scale, sums);
  }
  drawn_ += step.examples;
  result.loss = sums.mean_loss();
  result.figures = train::figures_of_step(step, drawn_, train_.example_count());
  const std::vector<train::Figure> own = sums.figures();
  result.figures.insert(result.figures.end(), own.begin(), own.end());
  return result;
}

Result<std::optional<train::Evaluation>> RewardTraining::evaluate(int64_t) {
  if (!validation_) return std::optional<train::Evaluation>();
  const autograd::NoGrad no_grad;
  train::Evaluation evaluation;
  Sums sums;
  for (int64_t drawn = 0; drawn < validation_->example_count();) {
    const data::SupervisedStep step = validation_->step(drawn, options_.batch);
    for (const data::SupervisedBatch& batch : step.micro_batches)
      learn(step, batch, nn::ForwardContext::packed(batch.positions), 1.0, sums);
    evaluation.tokens += step.targets;
    drawn += step.examples;
  }
  evaluation.loss = sums.mean_loss();
  evaluation.figures = sums.figures();
  evaluation.figures.emplace_back("calibration_error", sums.calibration.calibration_error());
  evaluation.figures.emplace_back("brier", sums.calibration.brier());
  return std::optional(evaluation);
}

Result<void> RewardTraining::restore(const nlohmann::json& state) {
  drawn_ = state.at("examples").get<int64_t>();
  return {};
}

void RewardTraining::describe(train::Fingerprint& print) const {
  print["examples"] = fmt::format("{:016x}", train_.dataset().key());
  print["train.batch"] = options_.batch;
  print["train.sequence"] = train_.options().sequence;
  print["reward"] = {loss_.center};
}

}  // namespace quern::align
