#include "align/ppo.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "align/answers.h"
#include "align/mean.h"
#include "autograd/graph.h"
#include "base/clock.h"

namespace quern::align {

// Over tokens.
struct Ppo::Sums {
  double policy = 0.0, value = 0.0, clipped = 0.0, value_clipped = 0.0, ratio = 0.0, surprise = 0.0;
};

Result<Ppo> Ppo::create(std::shared_ptr<const infer::LoadedModel> loaded, Reference reference,
                        ValueModel values, PromptSets prompts, Rewards rewards, const RolloutOptions& rollout,
                        const PpoOptions& ppo, const AnswerRows& rows, const train::TuningOptions& options) {
  QUERN_CHECK(check_temperature(loaded->model.config(), rollout));
  QUERN_TRY(Rollouts rollouts, Rollouts::create(loaded, rollout, longest_prompt(prompts)));
  return Ppo(std::move(loaded), std::move(reference), std::move(values), std::move(prompts),
             std::move(rewards), std::move(rollouts), ppo, rows, options);
}

Ppo::Ppo(std::shared_ptr<const infer::LoadedModel> loaded, Reference reference, ValueModel values,
         PromptSets prompts, Rewards rewards, Rollouts rollouts, const PpoOptions& ppo,
         const AnswerRows& rows, const train::TuningOptions& options)
    : loaded_(std::move(loaded)),
      reference_(std::move(reference)),
      values_(std::move(values)),
      prompts_(std::move(prompts)),
      rewards_(std::move(rewards)),
      rollouts_(std::make_unique<Rollouts>(std::move(rollouts))),
      ppo_(ppo),
      rows_(rows),
      options_(options),
      kl_(ppo.kl) {}

// A new batch of answers, with what is to be learnt of each token.
Result<Ppo::Batch> Ppo::answer() const {
  const Stopwatch watch;
  const std::vector<int64_t> chosen = next_prompts(prompts_.train, drawn_, options_.batch, options_.seed);
  QUERN_TRY(const std::vector<Rollout> rollouts,
            rollouts_->sample(tokens_of(prompts_.train, chosen), 1, static_cast<uint64_t>(rounds_)));
  Batch batch;
  batch.generate_seconds = watch.seconds();
  QUERN_TRY(const Rewards::Scores scores, score(rewards_, prompts_.train, chosen, rollouts, 1));
  for (size_t i = 0; i < rollouts.size(); ++i) {
    batch.answers.push_back({.prompt = chosen[i],
                             .tokens = rollouts[i].tokens,
                             .text = rollouts[i].text,
                             .reward = scores.total[i]});
  }
  QUERN_TRY(const data::SupervisedStep step, lay_out(prompts_.train, views_of(batch.answers), rows_));
  const double gap = judge(scores, rollouts, step, batch);

  std::vector<std::span<double>> advantages;
  std::vector<double> returns, values;
  for (Answer& given : batch.answers) {
    advantages.emplace_back(given.advantages);
    returns.insert(returns.end(), given.returns.begin(), given.returns.end());
    values.insert(values.end(), given.values.begin(), given.values.end());
  }
  whiten(advantages);
  batch.judge_seconds = watch.seconds() - batch.generate_seconds;
  batch.figures = {{"reward", mean_of(scores.total)}};
  for (const auto& more : {rewards_.means(scores), figures_of(rollouts)})
    batch.figures.insert(batch.figures.end(), more.begin(), more.end());
  const std::vector<train::Figure> more = {{"kl", batch.kl},
                                           {"kl_weight", kl_.weight},
                                           {"explained_variance", explained_variance(returns, values)},
                                           {"rollout_gap", gap}};
  batch.figures.insert(batch.figures.end(), more.begin(), more.end());
  return batch;
}

// Fills in what answers are learnt with, and their distance to the reference. The largest difference of a token's log p as
// it was drawn and as it is learnt.
double Ppo::judge(const Rewards::Scores& scores, std::span<const Rollout> rollouts,
                  const data::SupervisedStep& step, Batch& batch) const {
  const autograd::NoGrad no_grad;
  const double temperature = rollouts_->options().temperature;
  double gap = 0.0;
  for (const data::SupervisedBatch& micro_batch : step.micro_batches) {
    const nn::ForwardContext context = nn::ForwardContext::packed(micro_batch.positions);
    const Answers answers(loaded_->model, micro_batch, context, temperature);
    const Answers reference(reference_.model(), micro_batch, reference_.context(micro_batch), temperature);
    const TokenValues values(values_, micro_batch, context);
    for (size_t i = 0; i < micro_batch.sequences.size(); ++i) {
      const auto index = static_cast<size_t>(micro_batch.sequences[i].document);
      Answer& given = batch.answers[index];
      given.log_probs = answers.token_log_probs(i);
      given.values = values.of(i);
      const std::vector<double> held = reference.token_log_probs(i);
      const double reward = scores.total[index] - (rollouts[index].ended ? 0.0 : ppo_.missing_end_penalty);
      Gae gae =
          advantages_of(shaped_rewards(given.log_probs, held, reward, kl_.weight), given.values, ppo_.gae);
      given.advantages = std::move(gae.advantages);
      given.returns = std::move(gae.returns);
      for (size_t t = 0; t < held.size(); ++t) {
        batch.kl += given.log_probs[t] - held[t];
        gap = std::max(gap, std::fabs(given.log_probs[t] - rollouts[index].log_probs[t]));
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
  const PolicyLossOptions bounds{.clip_low = ppo_.clip, .clip_high = ppo_.clip, .beta = 0.0};
  const auto given_of = [&](size_t i) -> const Answer& {
    return batch_.answers[static_cast<size_t>(micro_batch.sequences[i].document)];
  };
  std::vector<std::vector<double>> d_tokens(micro_batch.sequences.size());
  {
    const Answers answers(loaded_->model, micro_batch, context, rollouts_->options().temperature);
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
      const ValueLoss loss = value_loss(now[t], given.values[t], given.returns[t], ppo_.value_clip);
      d_tokens[i][t] = scale * share * ppo_.value_weight * loss.d;
      sums.value += share * loss.loss;
      sums.value_clipped += loss.clipped ? share : 0.0;
    }
  }
  values.backward(d_tokens);
}

Result<train::StepLoss> Ppo::accumulate(const train::StepRequest& request) {
  if (!learns_again()) {
    QUERN_TRY(batch_, answer());
    const auto answers = static_cast<int64_t>(batch_.answers.size());
    kl_.follow(batch_.kl, answers);
    drawn_ += answers;
    ++rounds_;
  }
  const Stopwatch watch;
  QUERN_TRY(const data::SupervisedStep step, lay_out(prompts_.train, views_of(batch_.answers), rows_));
  train::StepLoss result{.targets = step.targets, .tokens = step.tokens};
  const double share = 1.0 / static_cast<double>(step.targets);
  Sums sums;
  for (const data::SupervisedBatch& micro_batch : step.micro_batches) {
    learn(micro_batch,
          training_context(micro_batch, options_, request.micro_batches + result.micro_batches++), share,
          request.scale, sums);
  }
  ++batch_.updates;
  result.loss = sums.policy + ppo_.value_weight * sums.value;
  result.figures = {{"epoch", static_cast<double>(drawn_) / static_cast<double>(prompts_.train.size())}};
  result.figures.insert(result.figures.end(), batch_.figures.begin(), batch_.figures.end());
  const double updating = watch.seconds(), generating = batch_.generate_seconds;
  const double all = generating + batch_.judge_seconds + updating * static_cast<double>(ppo_.updates);
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

Result<std::optional<train::Evaluation>> Ppo::evaluate(int64_t) {
  if (!prompts_.validation) return std::optional<train::Evaluation>();
  QUERN_TRY(train::Evaluation evaluation, evaluate_answers(*prompts_.validation, *rollouts_, rewards_));
  return std::optional(std::move(evaluation));
}

// Answers that will be learnt again are kept: the weights that gave them are gone.
nlohmann::json Ppo::state() const {
  nlohmann::json state = {{"prompts", drawn_}, {"rounds", rounds_}, {"kl_weight", kl_.weight}};
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
  drawn_ = state.at("prompts").get<int64_t>();
  rounds_ = state.at("rounds").get<int64_t>();
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
  const RolloutOptions& rollout = rollouts_->options();
  print["prompts"] = fmt::format("{:016x}", prompts_.train.key());
  print["train.batch"] = options_.batch;
  print["rollout"] = {rollout.max_tokens, rollout.temperature, rollout.top_k, rollout.top_p};
  print["ppo"] = {
      ppo_.updates,   ppo_.clip,       ppo_.value_clip, ppo_.value_weight, ppo_.missing_end_penalty,
      ppo_.gae.gamma, ppo_.gae.lambda, ppo_.kl.weight,  ppo_.kl.target,    ppo_.kl.horizon};
}

std::string Ppo::last_prompt() const {
  return batch_.answers.empty() ? std::string() : prompts_.train[batch_.answers.back().prompt].text;
}

std::string Ppo::last_answer() const {
  if (batch_.answers.empty()) return {};
  return fmt::format("[{:.3f}] {}\n", batch_.answers.back().reward, batch_.answers.back().text);
}

}  // namespace quern::align
