// Texts to train tokenizers on, as sources.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "support/source_dir.h"
#include "text/json_fields.h"
#include "text/training.h"

namespace quern::text::test {

inline const std::filesystem::path kGolden = std::filesystem::path(QUERN_SOURCE_DIR) / "tests/golden";

// `texts` must outlive the source.
inline TextSource source_of(const std::vector<std::string>& texts) {
  return [&texts, i = size_t{0}]() mutable -> std::optional<std::string_view> {
    return i < texts.size() ? std::optional<std::string_view>(texts[i++]) : std::nullopt;
  };
}

// The hostile texts of tests/golden/tokenizer, some of them several times: what tools/goldens/tokenizer_training.py takes.
inline std::vector<std::string> hostile_corpus() {
  const Json texts = Json::parse(read_file(kGolden / "tokenizer/texts.json").value());
  std::vector<std::string> corpus;
  for (size_t i = 0; i < texts.size(); ++i)
    for (size_t copy = 0; copy <= i % 7; ++copy) corpus.push_back(texts[i]);
  return corpus;
}

}  // namespace quern::text::test
