#include "text/word_level.h"

#include "text/models/model_json.h"

namespace quern::text {

void WordLevel::encode_word(std::string_view word, uint32_t at, Scratch&, TokenSink sink) const {
  const TokenId id = vocabulary_.find_bytes(word);
  sink.ids.push_back(id != kNoToken ? id : require_unknown(unk_, word));
  if (sink.spans) sink.spans->push_back({at, at + static_cast<uint32_t>(word.size())});
}

std::string WordLevel::to_json() const {
  return model_json({{"type", "WordLevel"}, {"unk_token", unk_token_}},
                    "\"vocab\":" + vocabulary_json(vocabulary_));
}

}  // namespace quern::text
