#include "align/preference.h"

#include <fmt/format.h>

#include "align/answers.h"
#include "autograd/graph.h"

namespace quern::align {

// Over pairs.
struct PreferenceTuning::Sums {
  int64_t pairs = 0, chosen_tokens = 0;
  double loss = 0.0, nll = 0.0, wins = 0.0;
  double chosen_reward = 0.0, rejected_reward = 0.0, chosen_logp = 0.0, rejected_logp = 0.0;

  std::vector<train::Figure> figures() const {
    const auto mean = [&](double sum) { return sum / static_cast<double>(pairs); };
    return {{"accuracy", mean(wins)},
            {"margin", mean(chosen_reward - rejected_reward)},
            {"chosen_reward", mean(chosen_reward)},
            {"rejected_reward", mean(rejected_reward)},
            {"chosen_logp", mean(chosen_logp)},
            {"rejected_logp", mean(rejected_logp)},
            {"chosen_nll", nll / static_cast<double>(chosen_tokens)}};
  }
};

Result<PreferenceTuning> PreferenceTuning::create(const model::Decoder& model,
                                                  std::optional<Reference> reference,
                                                  data::SupervisedSampler train,
                                                  std::optional<data::SupervisedSampler> validation,
                                                  const PreferenceOptions& preference,
                                                  const train::TuningOptions& options) {
  for (const data::SupervisedSampler* examples : {&train, validation ? &*validation : nullptr}) {
    if (examples == nullptr) continue;
    QUERN_CHECK(train::check_examples(model.config(), *examples));
    if (examples->dataset().content() == data::TokenContent::preferences) continue;
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the examples are {}, and preferences are needed",
                                  data::name_of(examples->dataset().content())),
                      "prepare rows with prompt, chosen and rejected");
  }
  return PreferenceTuning(model, std::move(reference), std::move(train), std::move(validation), preference,
                          options);
}

PreferenceTuning::PreferenceTuning(const model::Decoder& model, std::optional<Reference> reference,
                                   data::SupervisedSampler train,
                                   std::optional<data::SupervisedSampler> validation,
                                   const PreferenceOptions& preference, const train::TuningOptions& options)
    : model_(&model),
      reference_(std::move(reference)),
      train_(std::move(train)),
      validation_(std::move(validation)),
      preference_(preference),
      options_(options) {}

// Adds what the pairs of a batch lose to `sums`, and where anything is recorded, their gradient times `scale` to the
// model.
void PreferenceTuning::learn(const data::SupervisedStep& step, const data::SupervisedBatch& batch,
                             const nn::ForwardContext& context, double scale, Sums& sums) const {
  const Answers answers(*model_, batch, context);
  std::optional<Answers> reference;
  if (reference_) {
    const autograd::NoGrad no_grad;
    reference.emplace(reference_->model(), batch, reference_->context(batch));
  }
  const auto answer = [&](size_t i) {
    return AnswerLogProb{answers.sum(i), reference ? reference->sum(i) : 0.0, batch.sequences[i].targets};
  };
  int64_t step_chosen_tokens = 0;
  for (const data::SupervisedBatch& each : step.micro_batches)
    for (size_t i = 0; i < each.sequences.size(); i += 2) step_chosen_tokens += each.sequences[i].targets;
  const double share = 1.0 / static_cast<double>(step.examples);
  const double nll_share = preference_.nll_weight / static_cast<double>(step_chosen_tokens);
  std::vector<double> d_sums(batch.sequences.size());
  for (size_t i = 0; i < d_sums.size(); i += 2) {
    const AnswerLogProb chosen = answer(i), rejected = answer(i + 1);
    const PairLoss pair = pair_loss(chosen, rejected, preference_.pair);
    d_sums[i] = scale * (share * pair.d_chosen - nll_share);
    d_sums[i + 1] = scale * share * pair.d_rejected;
    ++sums.pairs;
    sums.loss += pair.loss;
    sums.nll -= chosen.sum;
    sums.chosen_tokens += chosen.tokens;
    // A tie is half a win.
    sums.wins += pair.margin() > 0.0 ? 1.0 : pair.margin() == 0.0 ? 0.5 : 0.0;
    sums.chosen_reward += pair.chosen_reward;
    sums.rejected_reward += pair.rejected_reward;
    sums.chosen_logp += chosen.sum;
    sums.rejected_logp += rejected.sum;
  }
  if (autograd::grad_enabled()) answers.backward_sums(d_sums);
}

Result<train::StepLoss> PreferenceTuning::accumulate(const train::StepRequest& request) {
  const data::SupervisedStep step = train_.step(drawn_, options_.batch);
  train::StepLoss result{.targets = step.targets, .tokens = step.tokens};
  Sums sums;
  for (const data::SupervisedBatch& batch : step.micro_batches) {
    learn(step, batch, training_context(batch, options_, request.micro_batches + result.micro_batches++),
          request.scale, sums);
  }
  drawn_ += step.examples;
  result.loss = sums.loss / static_cast<double>(sums.pairs) +
                preference_.nll_weight * sums.nll / static_cast<double>(sums.chosen_tokens);
  result.figures = train::figures_of_step(step, drawn_, train_.example_count());
  const std::vector<train::Figure> own = sums.figures();
  result.figures.insert(result.figures.end(), own.begin(), own.end());
  return result;
}

Result<std::optional<train::Evaluation>> PreferenceTuning::evaluate(int64_t) {
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
  evaluation.loss = sums.loss / static_cast<double>(sums.pairs) +
                    preference_.nll_weight * sums.nll / static_cast<double>(sums.chosen_tokens);
  evaluation.figures = sums.figures();
  return std::optional(evaluation);
}

Result<void> PreferenceTuning::restore(const nlohmann::json& state) {
  drawn_ = state.at("examples").get<int64_t>();
  return {};
}

void PreferenceTuning::describe(train::Fingerprint& print) const {
  print["examples"] = fmt::format("{:016x}", train_.dataset().key());
  print["train.batch"] = options_.batch;
  print["train.sequence"] = train_.options().sequence;
  print["preference"] = {static_cast<int>(preference_.pair.kind), preference_.pair.beta,
                         preference_.pair.gamma, preference_.pair.label_smoothing, preference_.nll_weight};
}

}  // namespace quern::align
