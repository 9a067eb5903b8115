// What a model has for text, for `quern inspect`: tokenizer, chat templates, end tokens, and what does not
// fit together.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "infer/language.h"

namespace quern::cli {

// Of a model folder or GGUF file; it may have none, or one that cannot be read: both are said, not errors.
class LanguageReport {
 public:
  explicit LanguageReport(const std::filesystem::path& path) : language_(infer::open_language(path)) {}

  // Name and value, for a table.
  std::vector<std::pair<std::string, std::string>> rows() const;
  // The findings of the audit as lines; empty when there are none.
  std::string findings() const;
  nlohmann::ordered_json to_json() const;

 private:
  Result<infer::Language> language_;
};

}  // namespace quern::cli
