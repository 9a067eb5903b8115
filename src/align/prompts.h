// Prompts that a model answers while it learns from its own answers, with what is known of right ones.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "infer/language.h"

namespace quern::align {

struct Prompt {
  std::vector<int32_t> tokens = {};        // as it would be served; empty where no model is at hand
  std::string text = {};                   // the same, for people
  std::string reference = {};              // the answer that is known; empty: none is
  nlohmann::ordered_json row = {};         // of the file, an object
  nlohmann::ordered_json asked = nullptr;  // what the row asks: messages, or a text that is gone on with
  nlohmann::ordered_json tools = nullptr;
};

struct PromptOptions {
  bool texts_as_messages = false;  // prompts that are texts become a message of the user
  int64_t max_tokens = 1024;       // of a prompt
  bool references = false;         // every row must have one
};

// Immutable; copies share the prompts.
class PromptSet {
 public:
  // Rows {"prompt": text or messages, "answer": text, ...} as .jsonl or a JSON array. "question" stands for "prompt",
  // "completion" for "answer", which may be messages, too, the last of which is taken: the rows that
  // `quern data prepare` writes as jsonl are read, and GSM8K's. Messages are rendered by the model's template. Errors of
  // data::RowReader; invalid_argument with file and line for a row that cannot be read or whose prompt is too long, and
  // where there is none at all.
  static Result<PromptSet> read(const std::filesystem::path& path, const infer::Language& language,
                                const PromptOptions& options);
  // The same for a model that is not at hand: prompts have no tokens, and may have any number of them.
  static Result<PromptSet> read(const std::filesystem::path& path, const PromptOptions& options);
  // Preconditions: at least one.
  explicit PromptSet(std::vector<Prompt> prompts);

  int64_t size() const { return static_cast<int64_t>(prompts_->size()); }
  const Prompt& operator[](int64_t index) const { return (*prompts_)[static_cast<size_t>(index)]; }
  // Which prompt comes after `drawn` others, counted through all epochs, each in an order of its own.
  int64_t drawn(int64_t drawn, uint64_t seed) const;
  int64_t longest() const;               // prompt, in tokens
  uint64_t key() const { return key_; }  // of rows and their order

 private:
  static Result<PromptSet> read(const std::filesystem::path& path, const infer::Language* language,
                                const PromptOptions& options);

  std::shared_ptr<const std::vector<Prompt>> prompts_;
  uint64_t key_;
};

// What a run learns from, and what it is judged by.
struct PromptSets {
  PromptSet train;
  std::optional<PromptSet> validation;
};

}  // namespace quern::align
