// POST /v1/completions
#pragma once

#include <memory>

#include "server/http_message.h"
#include "server/model_table.h"

namespace quern::server {

// Goes on from texts or tokens, whole or in server-sent events; with "echo" and "logprobs" it scores them, as
// lm-evaluation-harness asks. Throws what it refuses as Exception.
void completions(const ModelTable& models, const HttpRequest& request,
                 const std::shared_ptr<HttpReply>& reply);

}  // namespace quern::server
