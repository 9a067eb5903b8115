#include "eval/given_answers.h"

#include <algorithm>

#include "align/rollout.h"
#include "base/interrupt.h"

namespace quern::eval {

Result<GivenAnswers> give_answers(const std::shared_ptr<const infer::LoadedModel>& model,
                                  const align::PromptSet& prompts, const GiveOptions& options,
                                  Progress& progress, std::string_view name) {
  constexpr int64_t kAtOnce = 64;  // prompts
  QUERN_TRY(align::Rollouts rollouts, align::Rollouts::create(model,
                                                              {.max_tokens = options.max_tokens,
                                                               .temperature = options.temperature,
                                                               .at_once = kAtOnce,
                                                               .seed = options.seed},
                                                              prompts.longest()));
  GivenAnswers given;
  ProgressScope scope(progress, name, prompts.size(), "prompts");
  for (int64_t begin = 0; begin < prompts.size(); begin += kAtOnce) {
    throw_if_interrupted();
    std::vector<std::span<const int32_t>> asked;
    for (int64_t i = begin; i < std::min(prompts.size(), begin + kAtOnce); ++i)
      asked.emplace_back(prompts[i].tokens);
    QUERN_TRY(std::vector<align::Rollout> likeliest, rollouts.greedy(asked));
    for (align::Rollout& answer : likeliest) {
      given.tokens += static_cast<double>(answer.tokens.size()) / static_cast<double>(prompts.size());
      given.cut_off += answer.ended ? 0 : 1;
      given.likeliest.push_back(std::move(answer.text));
    }
    given.drawn.resize(given.likeliest.size());
    if (options.draws > 0) {
      QUERN_TRY(std::vector<align::Rollout> drawn,
                rollouts.sample(asked, options.draws, static_cast<uint64_t>(begin / kAtOnce)));
      for (size_t i = 0; i < drawn.size(); ++i)
        given.drawn[static_cast<size_t>(begin) + i / static_cast<size_t>(options.draws)].push_back(
            std::move(drawn[i].text));
    }
    scope.update(begin + static_cast<int64_t>(asked.size()));
  }
  return given;
}

Estimate win_rate(const GivenAnswers& a, const GivenAnswers& b, const Judge& judge) {
  RunningMean wins;
  for (size_t i = 0; i < a.drawn.size(); ++i) {
    RunningMean of_prompt;
    for (size_t draw = 0; draw < a.drawn[i].size(); ++draw)
      of_prompt.add(judge(i, a.drawn[i][draw], b.drawn[i][draw]));
    wins.add(of_prompt.estimate().value);
  }
  return wins.estimate();
}

}  // namespace quern::eval
