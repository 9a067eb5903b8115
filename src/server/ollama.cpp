#include "server/ollama.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/exception.h"
#include "base/hash.h"
#include "base/units.h"
#include "base/version.h"
#include "server/api_format.h"
#include "server/ollama_embed.h"
#include "server/ollama_writer.h"

namespace quern::server {

namespace {

std::string time_of(int64_t seconds) {
  return iso_time(std::chrono::system_clock::time_point(std::chrono::seconds(seconds)));
}

// What Ollama tells of a model's weights.
struct Weights {
  int64_t parameters = 0, bytes = 0;
  std::string type;  // most of the bytes
};

const model::ModelConfig& config_of(const ServedModel& model) {
  return model.encoder ? model.encoder->loaded->model.config() : model.loaded->model.config();
}

Weights weights_of(const ServedModel& model) {
  Weights weights;
  std::map<DType, int64_t> bytes;
  const auto count = [&](const std::string&, const nn::Parameter& parameter) {
    weights.parameters += parameter.value().numel();
    weights.bytes += parameter.value().bytes();
    bytes[parameter.value().dtype()] += parameter.value().bytes();
  };
  if (model.encoder) {
    nn::visit(model.encoder->loaded->model, count);
  } else {
    nn::visit(model.loaded->model, count);
  }
  const auto most = std::ranges::max_element(bytes, {}, [](const auto& entry) { return entry.second; });
  if (most != bytes.end()) weights.type = name_of(most->first);
  return weights;
}

Json details_of(const ServedModel& model, const Weights& weights) {
  const std::string& family = config_of(model).family;
  return {{"parent_model", ""},
          {"format", weights.type.find('_') == std::string::npos ? "safetensors" : "gguf"},
          {"family", family},
          {"families", {family}},
          {"parameter_size", human_count(static_cast<double>(weights.parameters))},
          {"quantization_level", weights.type}};
}

// Of a model that is not loaded little is known.
Json model_json(const ModelStatus& status) {
  const Weights weights = status.model ? weights_of(*status.model) : Weights{0, status.bytes, {}};
  Json details = {{"parent_model", ""},  {"format", ""},         {"family", ""},
                  {"families", nullptr}, {"parameter_size", ""}, {"quantization_level", ""}};
  return {{"name", status.name},
          {"model", status.name},
          {"modified_at", time_of(status.created)},
          {"size", weights.bytes},
          // Stands for the model in clients' lists; weights are not hashed here.
          {"digest", hash128(status.name).hex()},
          {"details", status.model ? details_of(*status.model, weights) : std::move(details)}};
}

Json tags(const ModelTable& models, const Caller* caller) {
  Json list = Json::array();
  for (const ModelStatus& status : models.all(caller)) list.push_back(model_json(status));
  return {{"models", std::move(list)}};
}

std::string expiry_of(const ModelStatus& status) {
  if (!status.seconds) return "9999-12-31T23:59:59Z";
  return time_of(unix_seconds() + static_cast<int64_t>(*status.seconds));
}

Json running(const ModelTable& models, const Caller* caller) {
  Json list = Json::array();
  for (const ModelStatus& status : models.all(caller)) {
    if (!status.model) continue;
    Json model = model_json(status);
    model.erase("modified_at");
    model["size"] = status.bytes;
    model["expires_at"] = expiry_of(status);
    model["size_vram"] = 0;
    model["context_length"] = status.model->context();
    list.push_back(std::move(model));
  }
  return {{"models", std::move(list)}};
}

std::optional<std::string_view> template_of(const ServedModel& model) {
  if (model.encoder) return std::nullopt;
  const auto source = model.loaded->templates.source_for({});
  return source.ok() ? std::optional(*source) : std::nullopt;
}

Json show(const ServedModel& model) {
  const model::ModelConfig& config = config_of(model);
  const Weights weights = weights_of(model);
  std::string chat_template;
  Json capabilities = Json::array({model.encoder ? "embedding" : "completion"});
  if (const auto source = template_of(model)) {
    chat_template = *source;
    if (source->find("tools") != std::string_view::npos) capabilities.push_back("tools");
    if (source->find("think") != std::string_view::npos) capabilities.push_back("thinking");
  }
  const std::string& family = config.family;
  return {{"modelfile", fmt::format("FROM {}\n", model.name)},
          {"parameters", ""},
          {"template", chat_template},
          {"modified_at", time_of(model.created)},
          {"details", details_of(model, weights)},
          {"model_info",
           {{"general.architecture", family},
            {"general.parameter_count", weights.parameters},
            {family + ".block_count", config.layers},
            {family + ".context_length", model.context()},
            {family + ".embedding_length", config.hidden},
            {family + ".attention.head_count", config.heads},
            {family + ".attention.head_count_kv", config.kv_heads},
            {family + ".vocab_size", config.vocab_size}}},
          {"capabilities", std::move(capabilities)}};
}

void answer(OllamaRoute route, const ModelTable& models, const HttpRequest& http,
            const std::shared_ptr<HttpReply>& reply) {
  OllamaRequest request = read_ollama_request(route, body_of(http), models, http.caller.get()).value();
  if (!request.call) {
    Json loaded = ollama_head(request.model->name);
    if (route == OllamaRoute::generate) {
      loaded["response"] = "";
    } else {
      loaded["message"] = {{"role", "assistant"}, {"content", ""}};
    }
    loaded["done"] = true;
    loaded["done_reason"] = request.unload ? "unload" : "load";
    if (request.unload) models.slots().unload(request.model->name).ok();  // those that stay, stay
    return send_json(*reply, loaded);
  }
  const ModelLease model = request.model;
  std::vector<engine::Request> requests = request.call->requests();
  auto writer = std::make_shared<OllamaWriter>(route, *std::move(request.call), reply);
  ask(*model, std::move(requests), std::move(writer), reply, models.meter(http.caller)).value();
}

}  // namespace

void add_ollama(Router& router, const ModelTable& models) {
  const auto add = [&](const char* method, const char* path, const ModelHandler& handler) {
    router.add(method, path,
               [&models, handler](const HttpRequest& request, const PathParameters&,
                                  const std::shared_ptr<HttpReply>& reply) {
                 try {
                   when_loaded(models, request, reply, handler, ollama_error);
                 } catch (const Exception& refused) {
                   reply->send(ollama_error(refused.error()));
                 }
               });
  };
  const auto add_json = [&](const char* method, const char* path,
                            std::function<Json(const HttpRequest&)> make) {
    add(method, path, [make = std::move(make)](const HttpRequest& request, const auto& reply) {
      send_json(*reply, make(request));
    });
  };
  add("POST", "/api/generate", [&models](const HttpRequest& request, const auto& reply) {
    answer(OllamaRoute::generate, models, request, reply);
  });
  add("POST", "/api/chat", [&models](const HttpRequest& request, const auto& reply) {
    answer(OllamaRoute::chat, models, request, reply);
  });
  for (const char* path : {"/api/embed", "/api/embeddings"}) {
    add("POST", path,
        [&models](const HttpRequest& request, const auto& reply) { ollama_embed(models, request, reply); });
  }
  add_json("GET", "/api/tags",
           [&models](const HttpRequest& request) { return tags(models, request.caller.get()); });
  add_json("GET", "/api/ps",
           [&models](const HttpRequest& request) { return running(models, request.caller.get()); });
  add_json("POST", "/api/show", [&models](const HttpRequest& request) {
    return show(*find_ollama_model(body_of(request), models, request.caller.get()).value().model);
  });
  add_json("GET", "/api/version", [](const HttpRequest&) { return Json{{"version", version()}}; });
}

}  // namespace quern::server
