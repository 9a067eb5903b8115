#include "align/ppo.h"

#include <algorithm>
#include <cmath>

#include "align/answers.h"
#include "autograd/graph.h"
#include "base/clock.h"

namespace quern::align {

// Over tokens.
struct Ppo::Sums {
  double policy = 0.0, value = 0.0, clipped = 0.0, value_clipped = 0.0, ratio = 0.0, surprise = 0.0;
};

// What is learnt of each token of the answers of a round.
Result<Ppo::Batch> Ppo::batch_of(const AnswerSource::Round& round) const {
  const Stopwatch watch;
  Batch batch{.figures = round.figures, .generate_seconds = round.seconds};
  for (size_t i = 0; i < round.answers.size(); ++i)
    batch.answers.push_back({.prompt = round.prompts[i], .tokens = round.answers[i].tokens});
  QUERN_TRY(const data::SupervisedStep step, source_.lay_out(views_of(batch.answers)));
  const double gap = judge(round, step, batch);

  std::vector<std::span<double>> advantages;
  std::vector<double> returns, values;
  for (Answer& given : batch.answers) {
    advantages.emplace_back(given.advantages);
    returns.insert(returns.end(), given.returns.begin(), given.returns.end());
    values.insert(values.end(), given.values.begin(), given.values.end());
  }
  whiten(advantages);
  batch.judge_seconds = watch.seconds() + round.judge_seconds;
  const std::vector<train::Figure> more = {{"kl", batch.kl},
                                           {"kl_weight", kl_.weight},
                                           {"explained_variance", explained_variance(returns, values)},
                                           {"rollout_gap", gap}};
  batch.figures.insert(batch.figures.end(), more.begin(), more.end());
  return batch;
}

// Fills in what answers are learnt with, and their distance to the reference. The largest difference of a token's log p as
// it was drawn and as it is learnt.
double Ppo::judge(const AnswerSource::Round& round, const data::SupervisedStep& step, Batch& batch) const {
  const autograd::NoGrad no_grad;
  const double temperature = source_.rollout().temperature;
  double gap = 0.0;
  for (const data::SupervisedBatch& micro_batch : step.micro_batches) {
    const nn::ForwardContext context = nn::ForwardContext::packed(micro_batch.positions);
    const Answers answers(source_.model(), micro_batch, context, temperature);
    const Answers reference(reference_.model(), micro_batch, reference_.context(micro_batch), temperature);
    const TokenValues values(values_, micro_batch, context);
    for (size_t i = 0; i < micro_batch.sequences.size(); ++i) {
      const auto index = static_cast<size_t>(micro_batch.sequences[i].document);
      Answer& given = batch.answers[index];
      given.log_probs = answers.token_log_probs(i);
      given.values = values.of(i);
      const std::vector<double> held = reference.token_log_probs(i);
      const Rollout& drawn = round.answers[index];
      const double reward = round.scores.total[index] - (drawn.ended ? 0.0 : options_.missing_end_penalty);
      Gae gae = advantages_of(shaped_rewards(given.log_probs, held, reward, kl_.weight), given.values,
                              options_.gae);
      given.advantages = std::move(gae.advantages);
      given.returns = std::move(gae.returns);
      for (size_t t = 0; t < held.size(); ++t) {
        batch.kl += given.log_probs[t] - held[t];
        gap = std::max(gap, std::fabs(given.log_probs[t] - drawn.log_probs[t]));
      }
    }
  }
  batch.kl /= static_cast<double>(batch.answers.size());
  return gap;
}

// Adds what the tokens of a micro-batch lose, each for `share` of the step, to `sums`, and their gradient times `scale` to
// both models.
void Ppo::learn(const data::SupervisedBatch& micro_batch, const nn::ForwardContext& context, double share,
                double scale, Sums& sums) const {
  const PolicyLossOptions bounds{.clip_low = options_.clip, .clip_high = options_.clip, .beta = 0.0};
  const auto given_of = [&](size_t i) -> const Answer& {
    return batch_.answers[static_cast<size_t>(micro_batch.sequences[i].document)];
  };
  std::vector<std::vector<double>> d_tokens(micro_batch.sequences.size());
  {
    const Answers answers(source_.model(), micro_batch, context, source_.rollout().temperature);
    for (size_t i = 0; i < d_tokens.size(); ++i) {
      const Answer& given = given_of(i);
      const std::vector<double> now = answers.token_log_probs(i);
      for (size_t t = 0; t < now.size(); ++t) {
        const PolicyLoss loss = policy_loss({now[t], given.log_probs[t]}, given.advantages[t], bounds);
        d_tokens[i].push_back(scale * share * loss.d);
        sums.policy += share * loss.loss;
        sums.clipped += loss.clipped ? share : 0.0;
        sums.ratio += share * std::exp(now[t] - given.log_probs[t]);
        sums.surprise -= share * now[t];
      }
    }
    answers.backward_tokens(d_tokens);
  }
  const TokenValues values(values_, micro_batch, context);
  for (size_t i = 0; i < d_tokens.size(); ++i) {
    const Answer& given = given_of(i);
    const std::vector<double> now = values.of(i);
    for (size_t t = 0; t < now.size(); ++t) {
      const ValueLoss loss = value_loss(now[t], given.values[t], given.returns[t], options_.value_clip);
      d_tokens[i][t] = scale * share * options_.value_weight * loss.d;
      sums.value += share * loss.loss;
      sums.value_clipped += loss.clipped ? share : 0.0;
    }
  }
  values.backward(d_tokens);
}

Result<train::StepLoss> Ppo::accumulate(const train::StepRequest& request) {
  if (!learns_again()) {
    QUERN_TRY(const AnswerSource::Round round, source_.next(1));
    QUERN_TRY(batch_, batch_of(round));
    source_.finish(round);
    kl_.follow(batch_.kl, static_cast<int64_t>(batch_.answers.size()));
  }
  const Stopwatch watch;
  QUERN_TRY(const data::SupervisedStep step, source_.lay_out(views_of(batch_.answers)));
  train::StepLoss result{.targets = step.targets, .tokens = step.tokens};
  const double share = 1.0 / static_cast<double>(step.targets);
  Sums sums;
  for (const data::SupervisedBatch& micro_batch : step.micro_batches) {
    learn(micro_batch,
          training_context(micro_batch, source_.tuning(), request.micro_batches + result.micro_batches++),
          share, request.scale, sums);
  }
  ++batch_.updates;
  result.loss = sums.policy + options_.value_weight * sums.value;
  result.figures = {{"epoch", source_.epochs()}};
  result.figures.insert(result.figures.end(), batch_.figures.begin(), batch_.figures.end());
  const double updating = watch.seconds(), generating = batch_.generate_seconds;
  const double all = generating + batch_.judge_seconds + updating * static_cast<double>(options_.updates);
  const std::vector<train::Figure> more = {{"policy_loss", sums.policy},
                                           {"clipped", sums.clipped},
                                           {"ratio", sums.ratio},
                                           {"value_loss", sums.value},
                                           {"value_clipped", sums.value_clipped},
                                           {"entropy", sums.surprise},
                                           {"generate_seconds", generating},
                                           {"judge_seconds", batch_.judge_seconds},
                                           {"update_seconds", updating},
                                           {"generate_share", generating / all}};
  result.figures.insert(result.figures.end(), more.begin(), more.end());
  return result;
}

// Answers that will be learnt again are kept: the weights that gave them are gone.
nlohmann::json Ppo::state() const {
  nlohmann::json state = source_.state();
  state["kl_weight"] = kl_.weight;
  if (!learns_again()) return state;
  nlohmann::json answers = nlohmann::json::array();
  for (const Answer& given : batch_.answers) {
    answers.push_back({{"prompt", given.prompt},
                       {"tokens", given.tokens},
                       {"log_probs", given.log_probs},
                       {"values", given.values},
                       {"advantages", given.advantages},
                       {"returns", given.returns}});
  }
  state["answers"] = std::move(answers);
  state["updates"] = batch_.updates;
  state["figures"] = batch_.figures;
  state["seconds"] = {batch_.generate_seconds, batch_.judge_seconds};
  return state;
}

Result<void> Ppo::restore(const nlohmann::json& state) {
  source_.restore(state);
  kl_.weight = state.at("kl_weight").get<double>();
  batch_ = Batch();
  if (!state.contains("answers")) return {};
  for (const nlohmann::json& answer : state.at("answers")) {
    const auto numbers = [&](const char* key) { return answer.at(key).get<std::vector<double>>(); };
    batch_.answers.push_back({.prompt = answer.at("prompt").get<int64_t>(),
                              .tokens = answer.at("tokens").get<std::vector<int32_t>>(),
                              .log_probs = numbers("log_probs"),
                              .values = numbers("values"),
                              .advantages = numbers("advantages"),
                              .returns = numbers("returns")});
  }
  batch_.updates = state.at("updates").get<int64_t>();
  batch_.figures = state.at("figures").get<std::vector<train::Figure>>();
  batch_.generate_seconds = state.at("seconds").at(0).get<double>();
  batch_.judge_seconds = state.at("seconds").at(1).get<double>();
  return {};
}

void Ppo::describe(train::Fingerprint& print) const {
  source_.describe(print);
  print["ppo"] = {options_.updates,
                  options_.clip,
                  options_.value_clip,
                  options_.value_weight,
                  options_.missing_end_penalty,
                  options_.gae.gamma,
                  options_.gae.lambda,
                  options_.kl.weight,
                  options_.kl.target,
                  options_.kl.horizon};
}

}  // namespace quern::align
