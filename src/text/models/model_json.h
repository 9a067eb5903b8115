// What the models of tokenizer.json share: reading from the file, writing, and the tokens for bytes.
#pragma once

#include <simdjson.h>

#include <array>

#include "text/json_fields.h"
#include "text/model.h"

namespace quern::text {

// A model as the file gives it. `fields` are its scalars.
struct ModelSource {
  simdjson::dom::element object;
  const Fields& fields;
  bool byte_level;  // the model is given bytes
  // An id needs some bytes of the file, so the size of the file bounds the ids of a sound vocabulary.
  int64_t id_limit;
};

using ReadModel = Result<std::unique_ptr<Model>>(const ModelSource&);
ReadModel read_bpe, read_unigram, read_word_level, read_word_piece;

Error corrupt_model(std::string what);
// The member `key` of the model. Errors: corrupt when it is missing or of another type.
Result<simdjson::dom::element> require_member(const ModelSource& source, const char* key,
                                              simdjson::dom::element_type type, std::string_view expected);
// "vocab": {token: id}.
Result<Vocabulary> read_vocabulary(const ModelSource& source);
// The field as a string, or `fallback` when there is none.
Result<std::string> read_string(const Fields& fields, std::string_view key, std::string fallback);

// The object `scalars` with one more member, which is given as text.
std::string model_json(const Json& scalars, const std::string& last_member);
std::string vocabulary_json(const Vocabulary& vocabulary);
std::string quoted_json(std::string_view text);

// The tokens <0x00> to <0xFF>, by byte.
std::array<TokenId, 256> find_byte_tokens(const Vocabulary& vocabulary);
// `unk`; throws Exception(invalid_argument) when there is none, naming the text that needs it.
TokenId require_unknown(TokenId unk, std::string_view text);

}  // namespace quern::text
