#include "encoding/cut_texts.h"

#include <algorithm>

#include "infer/encoder_text.h"

namespace quern::encoding {

Surroundings Surroundings::of(const text::Tokenizer& tokenizer) {
  Surroundings result;
  bool inside = false;
  for (const infer::EncoderToken& token : infer::EncoderText(tokenizer, "x").tokens()) {
    inside = inside || token.part == 0;
    if (token.part != 0) (inside ? result.after : result.before).push_back(token.id);
  }
  return result;
}

std::vector<int32_t> Surroundings::around(std::span<const int32_t> text) const {
  std::vector<int32_t> result = before;
  result.insert(result.end(), text.begin(), text.end());
  result.insert(result.end(), after.begin(), after.end());
  return result;
}

std::vector<std::vector<int32_t>> cut_texts(const data::TokenDataset& documents, int64_t longest) {
  const auto room = static_cast<size_t>(std::max<int64_t>(longest, 1));
  std::vector<std::vector<int32_t>> texts;
  for (int64_t i = 0; i < documents.document_count(); ++i) {
    const std::vector<int32_t> ids = documents.document(i).tokens;
    for (size_t begin = 0; begin < ids.size(); begin += room) {
      const auto first = ids.begin() + static_cast<std::ptrdiff_t>(begin);
      texts.emplace_back(first, first + static_cast<std::ptrdiff_t>(std::min(room, ids.size() - begin)));
    }
  }
  return texts;
}

}  // namespace quern::encoding
