#include "align/grpo.h"

#include <algorithm>
#include <cmath>

#include "align/mean.h"
#include "autograd/graph.h"
#include "base/clock.h"

namespace quern::align {

namespace {

// With n - 1.
double deviation_of(std::span<const double> values) {
  const double mean = mean_of(values);
  double squares = 0.0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

}  // namespace

// Over tokens.
struct Grpo::Sums {
  double loss = 0.0;  // of the step: shares are in it
  double kl = 0.0, clipped = 0.0, surprise = 0.0;
};

// What is learnt of the answers of a round.
Grpo::Batch Grpo::batch_of(AnswerSource::Round round) const {
  Batch batch{.figures = std::move(round.figures), .generate_seconds = round.seconds};
  const auto group = static_cast<size_t>(options_.group);
  double spread = 0.0, flat = 0.0;
  for (size_t i = 0; i < round.answers.size(); i += group) {
    const auto rewards = std::span(round.scores.total).subspan(i, group);
    const std::vector<double> advantages = group_advantages(rewards, options_.scaled);
    spread += deviation_of(rewards);
    flat += std::ranges::all_of(advantages, [](double a) { return a == 0.0; }) ? 1.0 : 0.0;
    for (size_t j = 0; j < group; ++j) {
      Rollout& answer = round.answers[i + j];
      batch.generated += static_cast<int64_t>(answer.tokens.size());
      batch.answers.push_back({.prompt = round.prompts[i / group],
                               .tokens = std::move(answer.tokens),
                               .drawn = std::move(answer.log_probs),
                               .before = {},
                               .advantage = advantages[j]});
    }
  }
  const auto groups = static_cast<double>(round.prompts.size());
  batch.figures.emplace_back("reward_std", spread / groups);
  batch.figures.emplace_back("flat_groups", flat / groups);
  return batch;
}

// Adds what the answers of a micro-batch lose to `sums`, and their gradient times `scale` to the model.
void Grpo::learn(const data::SupervisedBatch& micro_batch, const nn::ForwardContext& context,
                 const StepAnswers& step, double scale, Batch& batch, Sums& sums) const {
  const double temperature = source_.rollout().temperature;
  const Answers answers(source_.model(), micro_batch, context, temperature);
  std::optional<Answers> reference;
  if (reference_) {
    const autograd::NoGrad no_grad;
    reference.emplace(reference_->model(), micro_batch, reference_->context(micro_batch), temperature);
  }
  std::vector<std::vector<double>> d_tokens;
  for (size_t i = 0; i < micro_batch.sequences.size(); ++i) {
    Answer& answer = batch.answers[static_cast<size_t>(micro_batch.sequences[i].document)];
    const std::vector<double> now = answers.token_log_probs(i);
    const std::vector<double> held = reference ? reference->token_log_probs(i) : now;
    if (batch.updates == 0) {
      answer.before = now;
      for (size_t j = 0; j < now.size(); ++j)
        batch.gap = std::max(batch.gap, std::fabs(now[j] - answer.drawn[j]));
    }
    const double share = token_share(options_.aggregation, static_cast<int64_t>(now.size()), step);
    std::vector<double>& d = d_tokens.emplace_back();
    for (size_t j = 0; j < now.size(); ++j) {
      const PolicyLoss loss =
          policy_loss({now[j], answer.before[j], held[j]}, answer.advantage, options_.loss);
      d.push_back(scale * share * loss.d);
      sums.loss += share * loss.loss;
      sums.kl += loss.kl;
      sums.clipped += loss.clipped ? 1.0 : 0.0;
      sums.surprise -= now[j];
    }
  }
  answers.backward_tokens(d_tokens);
}

Result<train::StepLoss> Grpo::accumulate(const train::StepRequest& request) {
  if (!learns_again()) {
    QUERN_TRY(AnswerSource::Round round, source_.next(options_.group));
    source_.finish(round);
    batch_ = batch_of(std::move(round));
  }
  const Stopwatch watch;
  QUERN_TRY(const data::SupervisedStep step, source_.lay_out(views_of(batch_.answers)));
  train::StepLoss result{.targets = step.targets, .tokens = step.tokens};
  const StepAnswers counts{.answers = static_cast<int64_t>(batch_.answers.size()),
                           .tokens = step.targets,
                           .max_tokens = source_.rollout().max_tokens};
  Sums sums;
  for (const data::SupervisedBatch& micro_batch : step.micro_batches) {
    learn(micro_batch,
          training_context(micro_batch, source_.tuning(), request.micro_batches + result.micro_batches++),
          counts, request.scale, batch_, sums);
  }
  ++batch_.updates;
  result.loss = sums.loss;
  const auto tokens = static_cast<double>(step.targets);
  const double generating = batch_.generate_seconds, updating = watch.seconds();
  result.figures = {{"epoch", source_.epochs()}};
  result.figures.insert(result.figures.end(), batch_.figures.begin(), batch_.figures.end());
  if (reference_) result.figures.emplace_back("kl", sums.kl / tokens);
  const std::vector<train::Figure> more = {
      {"clipped", sums.clipped / tokens},
      {"entropy", sums.surprise / tokens},
      {"rollout_gap", batch_.gap},
      {"generate_seconds", generating},
      {"update_seconds", updating},
      {"generate_share", generating / (generating + updating * static_cast<double>(options_.updates))},
      {"generated_per_second", static_cast<double>(batch_.generated) / batch_.generate_seconds}};
  result.figures.insert(result.figures.end(), more.begin(), more.end());
  return result;
}

// Answers that will be learnt again are kept: the weights that gave them are gone.
nlohmann::json Grpo::state() const {
  nlohmann::json state = source_.state();
  if (!learns_again()) return state;
  nlohmann::json answers = nlohmann::json::array();
  for (const Answer& answer : batch_.answers) {
    answers.push_back({{"prompt", answer.prompt},
                       {"tokens", answer.tokens},
                       {"before", answer.before},
                       {"advantage", answer.advantage}});
  }
  state["answers"] = std::move(answers);
  state["updates"] = batch_.updates;
  state["figures"] = batch_.figures;
  state["gap"] = batch_.gap;
  state["generated"] = {batch_.generated, batch_.generate_seconds};
  return state;
}

Result<void> Grpo::restore(const nlohmann::json& state) {
  source_.restore(state);
  batch_ = Batch();
  if (!state.contains("answers")) return {};
  for (const nlohmann::json& answer : state.at("answers")) {
    batch_.answers.push_back({.prompt = answer.at("prompt").get<int64_t>(),
                              .tokens = answer.at("tokens").get<std::vector<int32_t>>(),
                              .drawn = {},
                              .before = answer.at("before").get<std::vector<double>>(),
                              .advantage = answer.at("advantage").get<double>()});
  }
  batch_.updates = state.at("updates").get<int64_t>();
  batch_.figures = state.at("figures").get<std::vector<train::Figure>>();
  batch_.gap = state.at("gap").get<double>();
  batch_.generated = state.at("generated").at(0).get<int64_t>();
  batch_.generate_seconds = state.at("generated").at(1).get<double>();
  return {};
}

void Grpo::describe(train::Fingerprint& print) const {
  source_.describe(print);
  print["grpo"] = {options_.group,         options_.updates,
                   options_.scaled,        static_cast<int>(options_.aggregation),
                   options_.loss.clip_low, options_.loss.clip_high,
                   options_.loss.beta};
}

}  // namespace quern::align
