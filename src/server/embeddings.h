// POST /v1/embeddings
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "infer/embed.h"
#include "server/encoder_answers.h"

namespace quern::server {

// Vectors for `inputs`, in their order. Errors of ask_encoder; invalid_argument where the model makes none, or none of so
// many `dimensions` (0: all it has; fewer: its first ones, to length 1 again).
Result<void> embed(const ModelLease& model, EncoderInputs inputs, int64_t dimensions,
                   std::function<void(std::vector<infer::Embedding>&&)> done,
                   const std::shared_ptr<HttpReply>& reply, Spent spent);

// {"input": text, texts, token ids, or lists of these; "encoding_format": "float" or "base64"; "dimensions"; "truncate"}.
// Token ids are read as they are, without what a tokenizer puts around texts. Throws what it refuses as Exception.
void embeddings(const ModelTable& models, const HttpRequest& request,
                const std::shared_ptr<HttpReply>& reply);

}  // namespace quern::server
