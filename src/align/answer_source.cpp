#include "align/answer_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "align/mean.h"
#include "base/clock.h"

namespace quern::align {

namespace {

Result<void> check_temperature(const model::ModelConfig& config, const RolloutOptions& rollout) {
  if (rollout.temperature == 1.0 || (config.logit_softcap == 0.0 && !config.head_bias)) return {};
  return make_error(ErrorCode::unsupported,
                    fmt::format("rollout.temperature is {}, and this model's logits are capped or biased",
                                rollout.temperature),
                    "draw answers at temperature 1");
}

std::vector<std::span<const int32_t>> tokens_of(const PromptSet& set, std::span<const int64_t> prompts) {
  std::vector<std::span<const int32_t>> tokens;
  for (const int64_t prompt : prompts) tokens.emplace_back(set[prompt].tokens);
  return tokens;
}

// What answers are worth, of which `each` in a row are to one of `prompts`.
Result<Rewards::Scores> score(const Rewards& rewards, const PromptSet& set, std::span<const int64_t> prompts,
                              std::span<const Rollout> rollouts, int64_t each) {
  std::vector<Answered> answers;
  for (size_t i = 0; i < rollouts.size(); ++i) {
    const Rollout& rollout = rollouts[i];
    const auto tokens = static_cast<int64_t>(rollout.tokens.size()) - (rollout.ended ? 1 : 0);
    const int64_t prompt = prompts[i / static_cast<size_t>(each)];
    answers.push_back({&set[prompt], rollout.text, tokens, rollout.ended, rollout.tokens});
  }
  return rewards.score(answers);
}

std::vector<train::Figure> figures_of(const Rewards& rewards, const Rewards::Scores& scores,
                                      std::span<const Rollout> rollouts) {
  std::vector<train::Figure> figures = {{"reward", mean_of(scores.total)}};
  for (auto& mean : rewards.means(scores)) figures.push_back(std::move(mean));
  double tokens = 0.0, cut_off = 0.0;
  for (const Rollout& rollout : rollouts) {
    tokens += static_cast<double>(rollout.tokens.size());
    cut_off += rollout.ended ? 0.0 : 1.0;
  }
  const auto count = static_cast<double>(rollouts.size());
  figures.emplace_back("answer_tokens", tokens / count);
  figures.emplace_back("cut_off", cut_off / count);
  return figures;
}

}  // namespace

Result<AnswerSource> AnswerSource::create(std::shared_ptr<const infer::LoadedModel> loaded,
                                          PromptSets prompts, Rewards rewards, const RolloutOptions& rollout,
                                          const AnswerRows& rows, const train::TuningOptions& tuning) {
  QUERN_CHECK(check_temperature(loaded->model.config(), rollout));
  int64_t longest = prompts.train.longest();
  if (prompts.validation) longest = std::max(longest, prompts.validation->longest());
  QUERN_TRY(Rollouts rollouts, Rollouts::create(loaded, rollout, longest));
  return AnswerSource(std::move(loaded), std::move(prompts), std::move(rewards), std::move(rollouts), rows,
                      tuning);
}

AnswerSource::AnswerSource(std::shared_ptr<const infer::LoadedModel> loaded, PromptSets prompts,
                           Rewards rewards, Rollouts rollouts, const AnswerRows& rows,
                           const train::TuningOptions& tuning)
    : loaded_(std::move(loaded)),
      prompts_(std::move(prompts)),
      rewards_(std::move(rewards)),
      rollouts_(std::make_unique<Rollouts>(std::move(rollouts))),
      rows_(rows),
      tuning_(tuning) {}

Result<AnswerSource::Round> AnswerSource::next(int64_t each) const {
  const Stopwatch watch;
  const PromptSet& set = prompts_.train;
  Round round;
  const int64_t count = std::min(tuning_.batch, set.size() - drawn_ % set.size());
  for (int64_t i = 0; i < count; ++i) round.prompts.push_back(set.drawn(drawn_ + i, tuning_.seed));
  QUERN_TRY(round.answers,
            rollouts_->sample(tokens_of(set, round.prompts), each, static_cast<uint64_t>(rounds_)));
  round.seconds = watch.seconds();
  QUERN_TRY(round.scores, score(rewards_, set, round.prompts, round.answers, each));
  round.judge_seconds = watch.seconds() - round.seconds;
  round.figures = figures_of(rewards_, round.scores, round.answers);
  return round;
}

void AnswerSource::finish(const Round& round) {
  drawn_ += static_cast<int64_t>(round.prompts.size());
  ++rounds_;
  last_ = {prompts_.train[round.prompts.back()].text + "\n", {}};
  const size_t each = round.answers.size() / round.prompts.size();
  for (size_t i = round.answers.size() - each; i < round.answers.size(); ++i)
    last_.text += fmt::format("[{:.3f}] {}\n", round.scores.total[i], round.answers[i].text);
}

Result<data::SupervisedStep> AnswerSource::lay_out(std::span<const OwnAnswer> answers) const {
  std::vector<data::TokenDocument> documents;
  for (const OwnAnswer& answer : answers) {
    data::TokenDocument& document = documents.emplace_back();
    document.tokens = prompts_.train[answer.prompt].tokens;
    document.learnt.assign(document.tokens.size(), 0);
    document.tokens.insert(document.tokens.end(), answer.tokens.begin(), answer.tokens.end());
    document.learnt.resize(document.tokens.size(), 1);
  }
  const auto count = static_cast<int64_t>(documents.size());
  QUERN_TRY(const data::SupervisedSampler sampler,
            data::SupervisedSampler::create(
                data::TokenDataset::from_examples(data::TokenContent::supervised, documents),
                {.sequence = rows_.sequence, .rows = rows_.rows, .packed = rows_.packed, .shuffle = false}));
  return sampler.step(0, count);
}

Result<std::optional<train::Evaluation>> AnswerSource::evaluate() const {
  if (!prompts_.validation) return std::optional<train::Evaluation>();
  const PromptSet& set = *prompts_.validation;
  std::vector<int64_t> all(static_cast<size_t>(set.size()));
  std::iota(all.begin(), all.end(), int64_t{0});
  QUERN_TRY(const std::vector<Rollout> answers, rollouts_->greedy(tokens_of(set, all)));
  QUERN_TRY(const Rewards::Scores scores, score(rewards_, set, all, answers, 1));
  train::Evaluation evaluation{.loss = -mean_of(scores.total),
                               .figures = figures_of(rewards_, scores, answers)};
  for (const Rollout& answer : answers) evaluation.tokens += static_cast<int64_t>(answer.tokens.size());
  return std::optional(std::move(evaluation));
}

void AnswerSource::restore(const nlohmann::json& state) {
  drawn_ = state.at("prompts").get<int64_t>();
  rounds_ = state.at("rounds").get<int64_t>();
}

void AnswerSource::describe(train::Fingerprint& print) const {
  print["prompts"] = fmt::format("{:016x}", prompts_.train.key());
  print["train.batch"] = tuning_.batch;
  print["rollout"] = {rollout().max_tokens, rollout().temperature, rollout().top_k, rollout().top_p};
  for (const auto& [name, weight] : rewards_.weights()) print["rewards." + name] = weight;
}

}  // namespace quern::align
