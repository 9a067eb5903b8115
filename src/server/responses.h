// OpenAI's Responses API: POST /v1/responses, and GET and DELETE of /v1/responses/{id}.
#pragma once

#include <memory>

#include "server/model_table.h"
#include "server/response_store.h"
#include "server/router.h"

namespace quern::server {

// Adds its routes. `models` must outlive the router. What they refuse they throw as Exception.
void add_responses(Router& router, const ModelTable& models, std::shared_ptr<ResponseStore> store);

}  // namespace quern::server
