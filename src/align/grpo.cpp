#include "align/grpo.h"

#include <fmt/format.h>

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

Result<Grpo> Grpo::create(std::shared_ptr<const infer::LoadedModel> loaded,
                          std::optional<Reference> reference, PromptSets prompts, Rewards rewards,
                          const RolloutOptions& rollout, const GrpoOptions& grpo, const AnswerRows& rows,
                          const train::TuningOptions& options) {
  QUERN_CHECK(check_temperature(loaded->model.config(), rollout));
  QUERN_TRY(Rollouts rollouts, Rollouts::create(loaded, rollout, longest_prompt(prompts)));
  return Grpo(std::move(loaded), std::move(reference), std::move(prompts), std::move(rewards),
              std::move(rollouts), grpo, rows, options);
}

Grpo::Grpo(std::shared_ptr<const infer::LoadedModel> loaded, std::optional<Reference> reference,
           PromptSets prompts, Rewards rewards, Rollouts rollouts, const GrpoOptions& grpo,
           const AnswerRows& rows, const train::TuningOptions& options)
    : loaded_(std::move(loaded)),
      reference_(std::move(reference)),
      prompts_(std::move(prompts)),
      rewards_(std::move(rewards)),
      rollouts_(std::make_unique<Rollouts>(std::move(rollouts))),
      grpo_(grpo),
      rows_(rows),
      options_(options) {}

// A new batch of answers, with what they are worth.
Result<Grpo::Batch> Grpo::answer() const {
  const Stopwatch watch;
  const auto group = static_cast<size_t>(grpo_.group);
  const std::vector<int64_t> chosen = next_prompts(prompts_.train, drawn_, options_.batch, options_.seed);
  QUERN_TRY(std::vector<Rollout> rollouts, rollouts_->sample(tokens_of(prompts_.train, chosen), grpo_.group,
                                                             static_cast<uint64_t>(rounds_)));
  Batch batch{.prompts = static_cast<int64_t>(chosen.size()), .generate_seconds = watch.seconds()};
  QUERN_TRY(const Rewards::Scores scores, score(rewards_, prompts_.train, chosen, rollouts, grpo_.group));
  double spread = 0.0, flat = 0.0;
  for (size_t i = 0; i < rollouts.size(); i += group) {
    const auto rewards = std::span(scores.total).subspan(i, group);
    const std::vector<double> advantages = group_advantages(rewards, grpo_.scaled);
    spread += deviation_of(rewards);
    flat += std::ranges::all_of(advantages, [](double a) { return a == 0.0; }) ? 1.0 : 0.0;
    for (size_t j = 0; j < group; ++j) {
      Rollout& rollout = rollouts[i + j];
      batch.generated += static_cast<int64_t>(rollout.tokens.size());
      batch.answers.push_back({.prompt = chosen[i / group],
                               .tokens = rollout.tokens,
                               .drawn = std::move(rollout.log_probs),
                               .before = {},
                               .advantage = advantages[j],
                               .text = rollout.text,
                               .reward = rewards[j]});
    }
  }
  const auto groups = static_cast<double>(chosen.size());
  batch.figures = {
      {"reward", mean_of(scores.total)}, {"reward_std", spread / groups}, {"flat_groups", flat / groups}};
  for (const auto& more : {rewards_.means(scores), figures_of(rollouts)})
    batch.figures.insert(batch.figures.end(), more.begin(), more.end());
  return batch;
}

// Adds what the answers of a micro-batch lose to `sums`, and their gradient times `scale` to the model.
void Grpo::learn(const data::SupervisedBatch& micro_batch, const nn::ForwardContext& context,
                 const StepAnswers& step, double scale, Batch& batch, Sums& sums) const {
  const double temperature = rollouts_->options().temperature;
  const Answers answers(loaded_->model, micro_batch, context, temperature);
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
    const double share = token_share(grpo_.aggregation, static_cast<int64_t>(now.size()), step);
    std::vector<double>& d = d_tokens.emplace_back();
    for (size_t j = 0; j < now.size(); ++j) {
      const PolicyLoss loss = policy_loss({now[j], answer.before[j], held[j]}, answer.advantage, grpo_.loss);
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
  const bool again = batch_.updates > 0 && batch_.updates < grpo_.updates;
  if (!again) {
    QUERN_TRY(batch_, answer());
    drawn_ += batch_.prompts;
    ++rounds_;
  }
  const Stopwatch watch;
  QUERN_TRY(const data::SupervisedStep step, lay_out(prompts_.train, views_of(batch_.answers), rows_));
  train::StepLoss result{.targets = step.targets, .tokens = step.tokens};
  const StepAnswers counts{.answers = static_cast<int64_t>(batch_.answers.size()),
                           .tokens = step.targets,
                           .max_tokens = rollouts_->options().max_tokens};
  Sums sums;
  for (const data::SupervisedBatch& micro_batch : step.micro_batches) {
    learn(micro_batch,
          training_context(micro_batch, options_, request.micro_batches + result.micro_batches++), counts,
          request.scale, batch_, sums);
  }
  ++batch_.updates;
  result.loss = sums.loss;
  const auto tokens = static_cast<double>(step.targets);
  const double generating = batch_.generate_seconds, updating = watch.seconds();
  result.figures = {{"epoch", static_cast<double>(drawn_) / static_cast<double>(prompts_.train.size())}};
  result.figures.insert(result.figures.end(), batch_.figures.begin(), batch_.figures.end());
  if (reference_) result.figures.emplace_back("kl", sums.kl / tokens);
  const std::vector<train::Figure> more = {
      {"clipped", sums.clipped / tokens},
      {"entropy", sums.surprise / tokens},
      {"rollout_gap", batch_.gap},
      {"generate_seconds", generating},
      {"update_seconds", updating},
      {"generate_share", generating / (generating + updating * static_cast<double>(grpo_.updates))},
      {"generated_per_second", static_cast<double>(batch_.generated) / batch_.generate_seconds}};
  result.figures.insert(result.figures.end(), more.begin(), more.end());
  return result;
}

Result<std::optional<train::Evaluation>> Grpo::evaluate(int64_t) {
  if (!prompts_.validation) return std::optional<train::Evaluation>();
  QUERN_TRY(train::Evaluation evaluation, evaluate_answers(*prompts_.validation, *rollouts_, rewards_));
  return std::optional(std::move(evaluation));
}

// Answers that will be learnt again are kept: the weights that gave them are gone.
nlohmann::json Grpo::state() const {
  nlohmann::json state = {{"prompts", drawn_}, {"rounds", rounds_}};
  if (batch_.updates == 0 || batch_.updates >= grpo_.updates) return state;
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
  drawn_ = state.at("prompts").get<int64_t>();
  rounds_ = state.at("rounds").get<int64_t>();
  batch_ = Batch();
  if (!state.contains("answers")) return {};
  for (const nlohmann::json& answer : state.at("answers")) {
    batch_.answers.push_back({.prompt = answer.at("prompt").get<int64_t>(),
                              .tokens = answer.at("tokens").get<std::vector<int32_t>>(),
                              .drawn = {},
                              .before = answer.at("before").get<std::vector<double>>(),
                              .advantage = answer.at("advantage").get<double>(),
                              .text = {}});
  }
  batch_.updates = state.at("updates").get<int64_t>();
  batch_.figures = state.at("figures").get<std::vector<train::Figure>>();
  batch_.gap = state.at("gap").get<double>();
  batch_.generated = state.at("generated").at(0).get<int64_t>();
  batch_.generate_seconds = state.at("generated").at(1).get<double>();
  return {};
}

void Grpo::describe(train::Fingerprint& print) const {
  const RolloutOptions& rollout = rollouts_->options();
  print["prompts"] = fmt::format("{:016x}", prompts_.train.key());
  print["train.batch"] = options_.batch;
  print["rollout"] = {rollout.max_tokens, rollout.temperature, rollout.top_k, rollout.top_p};
  print["grpo"] = {
      grpo_.group,         grpo_.updates,        grpo_.scaled,   static_cast<int>(grpo_.aggregation),
      grpo_.loss.clip_low, grpo_.loss.clip_high, grpo_.loss.beta};
}

std::string Grpo::last_prompt() const {
  return batch_.answers.empty() ? std::string() : prompts_.train[batch_.answers.back().prompt].text;
}

std::string Grpo::last_answers() const {
  std::string shown;
  const auto group = std::min(static_cast<size_t>(grpo_.group), batch_.answers.size());
  for (const Answer& answer : std::span(batch_.answers).last(group))
    shown += fmt::format("[{:.3f}] {}\n", answer.reward, answer.text);
  return shown;
}

}  // namespace quern::align
