// What a GGUF file says about text: its vocabulary, chat templates and the tokens that end an answer.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "formats/gguf/metadata.h"
#include "infer/language.h"
#include "text/chat_template.h"
#include "text/gguf_vocabulary.h"

namespace quern::infer {

// The keys tokenizer.ggml.*. not_found without a vocabulary; corrupt for values of other types.
Result<text::GgufVocabulary> gguf_vocabulary(const formats::GgufMetadata& metadata);
// tokenizer.chat_template ("default") and tokenizer.chat_template.NAME, with the special tokens by their ids.
// Errors of ChatTemplates::add.
Result<text::ChatTemplates> gguf_templates(const formats::GgufMetadata& metadata,
                                           const text::Tokenizer& tokenizer);
// End of text, of turn and of message, as far as the file names them.
Result<std::vector<int32_t>> gguf_end_tokens(const formats::GgufMetadata& metadata);

// general.sampling.*
Result<SamplingDefaults> gguf_sampling(const formats::GgufMetadata& metadata);

}  // namespace quern::infer
