// Texts as tokens and back, and conversations as texts: /tokenize, /detokenize, /apply-template.
#pragma once

#include <memory>

#include "server/http_message.h"
#include "server/model_table.h"

namespace quern::server {

// {"content" or "prompt", or "messages"; "add_special", "parse_special", "with_pieces"} -> {"tokens", "count",
// "max_model_len"}, as llama-server and vLLM ask. Throws what it refuses as Exception, as do the others.
void tokenize(const ModelTable& models, const HttpRequest& request, const std::shared_ptr<HttpReply>& reply);
// {"tokens"} -> {"content", "prompt"}: the same text under both names.
void detokenize(const ModelTable& models, const HttpRequest& request,
                const std::shared_ptr<HttpReply>& reply);
// A chat request -> {"prompt"}
void apply_template(const ModelTable& models, const HttpRequest& request,
                    const std::shared_ptr<HttpReply>& reply);

}  // namespace quern::server
