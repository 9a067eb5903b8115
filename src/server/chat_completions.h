// POST /v1/chat/completions
#pragma once

#include <memory>

#include "server/http_message.h"
#include "server/model_table.h"

namespace quern::server {

// Answers a conversation, whole or in server-sent events. Throws what it refuses as Exception.
void chat_completions(const ModelTable& models, const HttpRequest& request,
                      const std::shared_ptr<HttpReply>& reply);

}  // namespace quern::server
