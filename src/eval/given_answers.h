// What models answer to the same held-out prompts, and how often a judge prefers those of one to those of another.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "align/prompts.h"
#include "base/progress.h"
#include "base/result.h"
#include "eval/statistics.h"
#include "infer/loaded_model.h"

namespace quern::eval {

struct GiveOptions {
  int64_t max_tokens = 64;   // of an answer
  int64_t draws = 4;         // answers that are drawn for each prompt, beside the likeliest
  double temperature = 1.0;  // at which they are
  uint64_t seed = 0;
};

struct GivenAnswers {
  std::vector<std::string> likeliest;           // one for each prompt
  std::vector<std::vector<std::string>> drawn;  // `draws` for each
  double tokens = 0.0;                          // of a likeliest answer, on average
  int64_t cut_off = 0;                          // likeliest answers that did not end by themselves
};

// A function of weights, prompts and options alone. invalid_argument where a prompt and its answer are longer than the model
// has positions; errors of the engine. Throws when interrupted.
Result<GivenAnswers> give_answers(const std::shared_ptr<const infer::LoadedModel>& model,
                                  const align::PromptSet& prompts, const GiveOptions& options,
                                  Progress& progress = null_progress(), std::string_view name = "answers");

// 1 where the first answer to a prompt is preferred, 0 where the second is, 1/2 where neither is.
using Judge = std::function<double(size_t prompt, std::string_view a, std::string_view b)>;

// How often drawn answers of `a` are preferred to those of `b`, draw by draw. The error is over prompts: draws for one prompt are
// not independent. Precondition: as many prompts and draws of both.
Estimate win_rate(const GivenAnswers& a, const GivenAnswers& b, const Judge& judge);

}  // namespace quern::eval
