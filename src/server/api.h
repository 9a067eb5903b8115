// The routes of the server: which path is answered by what.
#pragma once

#include <filesystem>

#include "server/batch_service.h"
#include "server/model_table.h"
#include "server/router.h"

namespace quern::server {

// OpenAI's API and its neighbours over `models`, which must outlive the router.
Router api_routes(const ModelTable& models);

// Adds files and batches, whose lines ask the routes that generate, and which lie in `folder`. `models` must outlive the
// router. Errors of BatchService::open.
Result<void> add_batches(Router& router, const ModelTable& models, const std::filesystem::path& folder,
                         const BatchRunner::Options& options);

}  // namespace quern::server
