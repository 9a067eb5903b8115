// POST /v1/rerank
#pragma once

#include <memory>

#include "server/http_message.h"
#include "server/model_table.h"

namespace quern::server {

// {"query", "documents": texts or {"text"}; "top_n", "return_documents", "truncate"}, as Jina, Cohere and vLLM ask, ->
// {"results": [{"index", "relevance_score", "document": {"text"}}]}, the most relevant first. Cross-encoders read the query
// with each document, and scores are the logistic function of their logit; encoders read them apart, and scores are cosines.
// Throws what it refuses as Exception.
void rerank(const ModelTable& models, const HttpRequest& request, const std::shared_ptr<HttpReply>& reply);

}  // namespace quern::server
