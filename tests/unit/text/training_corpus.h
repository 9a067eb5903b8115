// Texts to train and try tokenizers on, and how their results are named in goldens.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "support/golden.h"
#include "text/json_fields.h"
#include "text/training.h"

namespace quern::test {

// `texts` must outlive the source.
inline text::TextSource source_of(const std::vector<std::string>& texts) {
  return [&texts, i = size_t{0}]() mutable -> std::optional<std::string_view> {
    return i < texts.size() ? std::optional<std::string_view>(texts[i++]) : std::nullopt;
  };
}

// The hostile texts of tests/golden/tokenizer.
inline std::vector<std::string> hostile_texts() {
  return text::Json::parse(read_file(kGolden / "tokenizer/texts.json").value());
}

// The same, some of them several times: what tools/goldens/tokenizer_training.py takes.
inline std::vector<std::string> hostile_corpus() {
  const std::vector<std::string> texts = hostile_texts();
  std::vector<std::string> corpus;
  for (size_t i = 0; i < texts.size(); ++i)
    for (size_t copy = 0; copy <= i % 7; ++copy) corpus.push_back(texts[i]);
  return corpus;
}

// FNV-1a in 16 hexadecimal digits, as the scripts of the goldens write it.
inline std::string fnv(std::string_view data) {
  uint64_t value = 0xCBF29CE484222325;
  for (const char c : data) value = (value ^ static_cast<uint8_t>(c)) * 0x100000001B3;
  return fmt::format("{:016x}", value);
}

inline std::string fnv(const std::vector<text::TokenId>& ids) {
  return fnv(std::string_view(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(text::TokenId)));
}

}  // namespace quern::test
