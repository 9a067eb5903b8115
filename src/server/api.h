// The routes of the server: which path is answered by what.
#pragma once

#include <memory>

#include "server/router.h"
#include "server/served_model.h"

namespace quern::server {

// OpenAI's API and its neighbours over `models`, which must outlive the router.
Router api_routes(const ModelTable& models);

}  // namespace quern::server
