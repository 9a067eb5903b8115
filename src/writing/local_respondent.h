// A model on this machine as a Respondent: questions rendered by its chat template, answered many at once by the engine.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/engine.h"
#include "infer/loaded_model.h"
#include "writing/respondent.h"

namespace quern::writing {

// Answers are functions of weights, question, options and Question::stream, not of which others are given at the same time.
class LocalRespondent final : public Respondent {
 public:
  // `context`: tokens of a question and its answer together. Longer questions are refused, one by one. `at_once`: answers given
  // at a time. Errors of Engine::create; invalid_argument where the model has not so many positions.
  static Result<std::unique_ptr<Respondent>> create(std::shared_ptr<const infer::LoadedModel> loaded,
                                                    int64_t context, int64_t at_once);

  using Respondent::ask;
  Result<std::vector<Reply>> ask(std::span<const Question> questions, const AskOptions& options,
                                 const Receiver& receive) override;

 private:
  explicit LocalRespondent(std::unique_ptr<engine::Engine> engine) : engine_(std::move(engine)) {}
  Result<engine::Request> request_of(const Question& question, const AskOptions& options) const;
  const std::vector<int>& choice_of_ids(const std::vector<std::string>& choices);

  std::unique_ptr<engine::Engine> engine_;
  std::vector<std::string> choices_;  // of which
  std::vector<int> choice_of_ids_;    // [V] has which choice each token stands for, or -1
};

// The tokens of a question as it would be served. Errors of the template; invalid_argument where nothing is asked.
Result<std::vector<int32_t>> encode_question(const infer::Language& language, const Question& question);

}  // namespace quern::writing
