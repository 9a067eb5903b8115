#include "server/api.h"

#include <utility>

#include "base/exception.h"
#include "base/version.h"
#include "server/api_error.h"
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

// As llama-server's router tells it.
Json status_json(const ModelStatus& status) {
  Json json = {{"value", name_of(status.state)}};
  if (status.error) {
    json["failed"] = true;
    json["error"] = status.error->message;
  }
  if (status.stays) json["stays"] = true;
  if (status.seconds) json["unloads_in"] = *status.seconds;
  return json;
}

Json model_json(const ModelStatus& status) {
  Json json = {{"id", status.name},   {"object", "model"},      {"created", status.created},
               {"owned_by", "quern"}, {"memory", status.bytes}, {"status", status_json(status)}};
  if (!status.model) return json;
  json["kind"] = status.model->kind();
  json["max_model_len"] = status.model->context();
  return json;
}

// An adapter is a model of its own to clients.
Json adapter_json(const ModelStatus& status, const std::string& adapter) {
  Json json = model_json(status);
  json["id"] = adapter;
  json["parent"] = status.name;
  return json;
}

void list_models(const ModelTable& models, const Caller* caller, const std::shared_ptr<HttpReply>& reply) {
  Json list = Json::array();
  for (const ModelStatus& status : models.all(caller)) {
    list.push_back(model_json(status));
    if (!status.model || !status.model->adapters) continue;
    for (const auto& adapter : status.model->adapters->all())
      list.push_back(adapter_json(status, adapter->name));
  }
  send_json(*reply, {{"object", "list"}, {"data", list}});
}

void show_model(const ModelTable& models, const std::string& name, const Caller* caller,
                const std::shared_ptr<HttpReply>& reply) {
  const auto meant = models.resolve(name, caller).value();
  for (const ModelStatus& status : models.all(caller)) {
    if (status.name != meant.model) continue;
    return send_json(*reply,
                     meant.adapter.empty() ? model_json(status) : adapter_json(status, meant.adapter));
  }
}

// The model that {"model": name} is about.
std::string named_model(const ModelTable& models, const HttpRequest& request) {
  const Json body = body_of(request), name = body.is_object() ? body.value("model", Json("")) : Json();
  if (!name.is_string()) throw Exception(wrong_value("model", "the name of a model", name));
  return models.resolve(name.get<std::string>(), request.caller.get()).value().model;
}

// Answers when the model is there, or cannot be.
void load_model(const ModelTable& models, const HttpRequest& request,
                const std::shared_ptr<HttpReply>& reply) {
  const auto ready = [reply](const std::optional<Error>& failure) {
    if (failure) return reply->send(to_response(api_error_of(*failure)));
    send_json(*reply, {{"success", true}});
  };
  models.slots().load(named_model(models, request), ready).value();
}

void unload_model(const ModelTable& models, const HttpRequest& request,
                  const std::shared_ptr<HttpReply>& reply) {
  if (request.caller && !request.caller->admin) {
    throw Exception(make_error(ErrorCode::permission,
                               "other callers may need the model: this key may not unload it",
                               "a key with \"admin: true\" may"));
  }
  models.slots().unload(named_model(models, request)).value();
  send_json(*reply, {{"success", true}});
}

void add_post(Router& router, const ModelTable& models, const char* path, Answer answer) {
  const auto refuse = [](const Error& error) { return to_response(api_error_of(error)); };
  const ModelHandler handler = [&models, answer](const HttpRequest& request, const auto& reply) {
    answer(models, request, reply);
  };
  router.add("POST", path,
             [&models, handler, refuse](const HttpRequest& request, const PathParameters&,
                                        const std::shared_ptr<HttpReply>& reply) {
               when_loaded(models, request, reply, handler, refuse);
             });
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
  for (const char* path : {"/v1/models/load", "/models/load"}) add_post(router, models, path, load_model);
  for (const char* path : {"/v1/models/unload", "/models/unload"})
    add_post(router, models, path, unload_model);
  router.add("GET", "/v1/models",
             [&models](const HttpRequest& request, const PathParameters&, const auto& reply) {
               list_models(models, request.caller.get(), reply);
             });
  router.add("GET", "/v1/models/{model...}",
             [&models](const HttpRequest& request, const PathParameters& path, const auto& reply) {
               show_model(models, path.at("model"), request.caller.get(), reply);
             });
  router.add("GET", "/health", [](const HttpRequest&, const PathParameters&, const auto& reply) {
    send_json(*reply, {{"status", "ok"}});
  });
  router.add("GET", "/version", [](const HttpRequest&, const PathParameters&, const auto& reply) {
    send_json(*reply, {{"version", version()}});
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
