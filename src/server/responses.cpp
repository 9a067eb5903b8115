#include "server/responses.h"

#include <fmt/format.h>

#include <utility>

#include "base/exception.h"
#include "base/json.h"
#include "server/api_error.h"
#include "server/api_format.h"
#include "server/response_request.h"
#include "server/response_writer.h"

namespace quern::server {

namespace {

Error unknown(const std::string& id) {
  return make_error(ErrorCode::not_found,
                    fmt::format("there is no response '{}'", json_excerpt(id.substr(0, 100))),
                    "it was never stored, or others took its place");
}

ResponseStore::Stored find(ResponseStore& store, const std::string& id, const Caller* caller) {
  auto stored = store.find(id, caller);
  if (!stored) throw Exception(unknown(id));
  return *std::move(stored);
}

// What the model is to answer: what was said before, and the input.
Json conversation(const ResponseRequest& request, ResponseStore& store, const Caller* caller) {
  Json messages = Json::array();
  if (!request.previous.empty()) messages = Json::parse(find(store, request.previous, caller).messages);
  messages.insert(messages.end(), request.messages.begin(), request.messages.end());
  return messages;
}

void create(const ModelTable& models, const std::shared_ptr<ResponseStore>& store, const HttpRequest& http,
            const std::shared_ptr<HttpReply>& reply) {
  ResponseRequest request = read_response_request(body_of(http)).value();
  const Json messages = conversation(request, *store, http.caller.get());
  request.chat["messages"] = messages;
  if (!request.instructions.empty()) {
    Json& all = request.chat["messages"];
    all.insert(all.begin(), Json({{"role", "system"}, {"content", request.instructions}}));
  }
  ChatCall call = read_chat(request.chat, models, http.caller.get()).value();
  const ModelLease model = call.text.model;
  std::vector<engine::Request> requests = call.requests();
  ResponseWriter::Keep keep;
  if (request.store) {
    keep = [store, messages, caller = http.caller](const Json& response, Json message) {
      Json all = messages;
      all.push_back(std::move(message));
      store->put(response["id"].get<std::string>(), caller.get(),
                 {.response = to_bytes(response), .messages = to_bytes(all)});
    };
  }
  auto writer = std::make_shared<ResponseWriter>(std::move(call), request.echo, reply, std::move(keep));
  ask(*model, std::move(requests), std::move(writer), reply, models.meter(http.caller)).value();
}

}  // namespace

void add_responses(Router& router, const ModelTable& models, std::shared_ptr<ResponseStore> store) {
  router.add(
      "POST", "/v1/responses",
      [&models, store](const HttpRequest& request, const PathParameters&, const auto& reply) {
        when_loaded(
            models, request, reply,
            [&models, store](const HttpRequest& again, const auto& to) { create(models, store, again, to); },
            [](const Error& error) { return to_response(api_error_of(error)); });
      });
  router.add("GET", "/v1/responses/{id}",
             [store](const HttpRequest& request, const PathParameters& path, const auto& reply) {
               std::string response = find(*store, path.at("id"), request.caller.get()).response;
               reply->send({.status = 200, .body = std::move(response), .headers = {}});
             });
  router.add("DELETE", "/v1/responses/{id}",
             [store](const HttpRequest& request, const PathParameters& path, const auto& reply) {
               const std::string& id = path.at("id");
               if (!store->remove(id, request.caller.get())) throw Exception(unknown(id));
               send_json(*reply, {{"id", id}, {"object", "response"}, {"deleted", true}});
             });
}

}  // namespace quern::server
