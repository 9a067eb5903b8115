// Documents of a corpus as texts that a model reads whole: cut, with the tokenizer's special tokens around each.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/token_dataset.h"
#include "text/tokenizer.h"

namespace quern::encoding {

// What a tokenizer puts around a text: tokens before it, and after.
struct Surroundings {
  std::vector<int32_t> before, after;

  static Surroundings of(const text::Tokenizer& tokenizer);
  int64_t size() const { return static_cast<int64_t>(before.size() + after.size()); }
  std::vector<int32_t> around(std::span<const int32_t> text) const;
};

// Documents cut into texts of at most `longest` tokens; none is empty.
std::vector<std::vector<int32_t>> cut_texts(const data::TokenDataset& documents, int64_t longest);

}  // namespace quern::encoding
