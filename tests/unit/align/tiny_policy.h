// A tiny model that answers, prompts for it, and rewards that tests can foretell.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "align/prompts.h"
#include "align/reward.h"
#include "train/evaluate.h"
#include "unit/infer/scripted_model.h"
#include "unit/model/tiny_models.h"

namespace quern::align {

// Its tokens are bytes, and token 0 ends answers.
inline std::shared_ptr<infer::LoadedModel> tiny_policy(DType compute = DType::f32,
                                                       const std::string& family = "llama") {
  model::ModelConfig config = model::tiny_config(family);
  const text::Tokenizer tokenizer = infer::byte_tokenizer();
  config.vocab_size = tokenizer.vocab_size();
  config.max_positions = 96;
  model::Decoder model = model::Decoder::create(config, 3).value();
  model.set_compute_dtype(compute);
  if (compute == DType::f32) model.set_cache_dtype(DType::f32);
  return std::make_shared<infer::LoadedModel>(
      infer::LoadedModel{{.tokenizer = tokenizer, .end_tokens = {0}}, std::move(model)});
}

// "say 0", "say 1", ...
inline PromptSet tiny_prompts(const infer::LoadedModel& loaded, int count) {
  std::vector<Prompt> prompts;
  for (int i = 0; i < count; ++i) {
    Prompt prompt;
    prompt.text = "say " + std::to_string(i);
    prompt.tokens = loaded.tokenizer.encode(prompt.text);
    prompt.row = {{"prompt", prompt.text}};
    prompts.push_back(std::move(prompt));
  }
  return PromptSet(std::move(prompts));
}

inline std::vector<std::span<const int32_t>> tokens_of(const PromptSet& prompts) {
  std::vector<std::span<const int32_t>> tokens;
  for (int64_t i = 0; i < prompts.size(); ++i) tokens.emplace_back(prompts[i].tokens);
  return tokens;
}

// What a function says of each text.
class TextReward final : public Reward {
 public:
  explicit TextReward(std::function<double(std::string_view)> of) : of_(std::move(of)) {}
  Result<std::vector<double>> score(std::span<const Answered> answers) override {
    std::vector<double> scores;
    for (const Answered& answer : answers) scores.push_back(of_(answer.text));
    return scores;
  }

 private:
  std::function<double(std::string_view)> of_;
};

// The share of small letters among the bytes.
inline double letters(std::string_view text) {
  if (text.empty()) return 0.0;
  const auto count = std::ranges::count_if(text, [](char c) { return c >= 'a' && c <= 'z'; });
  return static_cast<double>(count) / static_cast<double>(text.size());
}

inline double figure(const std::vector<train::Figure>& figures, std::string_view name) {
  for (const auto& [key, value] : figures)
    if (key == name) return value;
  ADD_FAILURE() << "no figure " << name;
  return NAN;
}

}  // namespace quern::align
