#include "server/api.h"

#include <utility>

#include "base/version.h"
#include "server/api_format.h"
#include "server/chat_completions.h"
#include "server/completions.h"
#include "server/embeddings.h"
#include "server/rerank.h"
#include "server/ollama.h"
#include "server/responses.h"
#include "server/token_routes.h"

namespace quern::server {

namespace {

using Json = nlohmann::ordered_json;
using Answer = void (*)(const ModelTable&, const HttpRequest&, const std::shared_ptr<HttpReply>&);

void send(const std::shared_ptr<HttpReply>& reply, const Json& body) {
  reply->send({.status = 200, .body = to_bytes(body), .headers = {}});
}

Json model_json(const ServedModel& model) {
  return {{"id", model.name},    {"object", "model"},    {"created", model.created},
          {"owned_by", "quern"}, {"kind", model.kind()}, {"max_model_len", model.context()}};
}

void list_models(const ModelTable& models, const Caller* caller, const std::shared_ptr<HttpReply>& reply) {
  Json list = Json::array();
  for (const ServedModel& model : models.all()) {
    if (caller == nullptr || caller->may_use(model.name)) list.push_back(model_json(model));
  }
  send(reply, {{"object", "list"}, {"data", list}});
}

}  // namespace

Router api_routes(const ModelTable& models) {
  Router router;
  const auto post = [&](const char* path, Answer answer) {
    router.add(
        "POST", path,
        [&models, answer](const HttpRequest& request, const PathParameters&,
                          const std::shared_ptr<HttpReply>& reply) { answer(models, request, reply); });
  };
  post("/v1/chat/completions", chat_completions);
  post("/v1/completions", completions);
  post("/v1/embeddings", embeddings);
  for (const char* path : {"/v1/rerank", "/rerank"}) post(path, rerank);
  add_responses(router, models, std::make_shared<ResponseStore>());
  add_ollama(router, models);
  post("/tokenize", tokenize);
  post("/detokenize", detokenize);
  post("/apply-template", apply_template);
  router.add("GET", "/v1/models",
             [&models](const HttpRequest& request, const PathParameters&, const auto& reply) {
               list_models(models, request.caller.get(), reply);
             });
  router.add("GET", "/v1/models/{model...}",
             [&models](const HttpRequest& request, const PathParameters& path, const auto& reply) {
               send(reply, model_json(*models.find(path.at("model"), request.caller.get()).value()));
             });
  router.add("GET", "/health", [](const HttpRequest&, const PathParameters&, const auto& reply) {
    send(reply, {{"status", "ok"}});
  });
  router.add("GET", "/version", [](const HttpRequest&, const PathParameters&, const auto& reply) {
    send(reply, {{"version", version()}});
  });
  return router;
}

}  // namespace quern::server
