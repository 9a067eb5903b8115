#include "server/api.h"

#include <utility>

#include "base/version.h"
#include "server/api_format.h"
#include "server/chat_completions.h"
#include "server/completions.h"
#include "server/embeddings.h"
#include "server/ollama.h"
#include "server/rerank.h"
#include "server/responses.h"
#include "server/token_routes.h"

namespace quern::server {

namespace {

using Json = nlohmann::ordered_json;
using Answer = void (*)(const ModelTable&, const HttpRequest&, const std::shared_ptr<HttpReply>&);

void send(const std::shared_ptr<HttpReply>& reply, const Json& body) {
  reply->send({.status = 200, .body = to_bytes(body), .headers = {}});
}

Json model_json(const ModelChoice& choice) {
  const ServedModel& model = *choice.model;
  Json json = {{"id", choice.adapter ? choice.adapter->name : model.name},
               {"object", "model"},
               {"created", model.created},
               {"owned_by", "quern"},
               {"kind", model.kind()},
               {"max_model_len", model.context()}};
  if (choice.adapter) json["parent"] = model.name;
  return json;
}

void list_models(const ModelTable& models, const Caller* caller, const std::shared_ptr<HttpReply>& reply) {
  Json list = Json::array();
  for (const ServedModel& model : models.all()) {
    if (caller != nullptr && !caller->may_use(model.name)) continue;
    list.push_back(model_json({&model}));
    if (!model.adapters) continue;
    for (const auto& adapter : model.adapters->all()) list.push_back(model_json({&model, adapter}));
  }
  send(reply, {{"object", "list"}, {"data", list}});
}

void add_post(Router& router, const ModelTable& models, const char* path, Answer answer) {
  router.add("POST", path,
             [&models, answer](const HttpRequest& request, const PathParameters&,
                               const std::shared_ptr<HttpReply>& reply) { answer(models, request, reply); });
}

// What batches may ask, too.
void add_generation(Router& router, const ModelTable& models) {
  add_post(router, models, "/v1/chat/completions", chat_completions);
  add_post(router, models, "/v1/completions", completions);
  add_post(router, models, "/v1/embeddings", embeddings);
  add_responses(router, models, std::make_shared<ResponseStore>());
}

}  // namespace

Router api_routes(const ModelTable& models) {
  Router router;
  add_generation(router, models);
  for (const char* path : {"/v1/rerank", "/rerank"}) add_post(router, models, path, rerank);
  add_ollama(router, models);
  add_post(router, models, "/tokenize", tokenize);
  add_post(router, models, "/detokenize", detokenize);
  add_post(router, models, "/apply-template", apply_template);
  router.add("GET", "/v1/models",
             [&models](const HttpRequest& request, const PathParameters&, const auto& reply) {
               list_models(models, request.caller.get(), reply);
             });
  router.add("GET", "/v1/models/{model...}",
             [&models](const HttpRequest& request, const PathParameters& path, const auto& reply) {
               send(reply, model_json(models.choose(path.at("model"), "", request.caller.get()).value()));
             });
  router.add("GET", "/health", [](const HttpRequest&, const PathParameters&, const auto& reply) {
    send(reply, {{"status", "ok"}});
  });
  router.add("GET", "/version", [](const HttpRequest&, const PathParameters&, const auto& reply) {
    send(reply, {{"version", version()}});
  });
  return router;
}

Result<void> add_batches(Router& router, const ModelTable& models, const std::filesystem::path& folder,
                         const BatchRunner::Options& options) {
  Router lines;
  add_generation(lines, models);
  QUERN_TRY(const std::shared_ptr<BatchService> service,
            BatchService::open(folder, std::move(lines),
                               {"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"},
                               options));
  BatchService::add_routes(router, service);
  return {};
}

}  // namespace quern::server
