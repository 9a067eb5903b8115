#include "server/adapters.h"

#include <fmt/format.h>

#include "base/config.h"
#include "base/exception.h"
#include "nn/bottleneck.h"
#include "nn/lora.h"
#include "server/api_error.h"
#include "server/api_format.h"
#include "server/model_table.h"

namespace quern::server {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct AdapterFields {
  std::string name, path, model;

  void fields(Fields& f) {
    f.add("name", name, "name of the adapter");
    f.add("lora_name", name, "the same, as vLLM names it");
    f.add("path", path, "its folder");
    f.add("lora_path", path, "the same, as vLLM names it");
    f.add("model", model, "name of the model that it changes");
  }
};

Json adapter_json(const ServedModel& model, const infer::LoadedAdapter& adapter) {
  Json json = {{"id", adapter.name},
               {"object", "adapter"},
               {"model", model.name},
               {"path", adapter.path.string()},
               {"method", formats::name_of(adapter.config.method)},
               {"parameters", nn::parameter_count(*adapter.weights)}};
  if (const auto* lora = dynamic_cast<const nn::LoraAdapter*>(adapter.weights.get())) {
    json["rank"] = adapter.config.rank;
    json["modules"] = lora->modules().size();
  } else if (const auto* bottleneck = dynamic_cast<const nn::BottleneckAdapter*>(adapter.weights.get())) {
    json["modules"] = bottleneck->modules().size();
  } else {
    json["virtual_tokens"] = adapter.weights->virtual_tokens();
  }
  return json;
}

void expect_admin(const HttpRequest& request) {
  if (!request.caller || request.caller->admin) return;
  throw Exception(
      make_error(ErrorCode::permission,
                 fmt::format("the key of '{}' does not allow to change adapters", request.caller->name),
                 "a key with \"admin: true\" does"));
}

AdapterFields read(const HttpRequest& request) {
  AdapterFields fields;
  fields_of(fields).load_json(body_of(request), "request").value();
  check_adapter_name(fields.name).value();
  return fields;
}

// `path` below `folder`, or an error.
fs::path allowed(const fs::path& folder, const std::string& path) {
  if (folder.empty()) {
    throw Exception(make_error(ErrorCode::permission, "this server loads no adapters while it runs",
                               "start it with --adapter-dir FOLDER"));
  }
  std::error_code ignored;
  const fs::path root = fs::weakly_canonical(folder, ignored);
  fs::path wanted = fs::weakly_canonical(root / path, ignored);
  const fs::path inside = wanted.lexically_relative(root);
  if (!inside.empty() && *inside.begin() != ".." && wanted != root) return wanted;
  throw Exception(make_error(ErrorCode::permission,
                             fmt::format("'{}' is not below the folder of adapters", path),
                             "give the path of an adapter relative to --adapter-dir"));
}

class Handlers {
 public:
  Handlers(const ModelTable& models, AdapterRoutes routes) : models_(models), routes_(std::move(routes)) {}

  void list(const HttpRequest& request, HttpReply& reply) const {
    Json list = Json::array();
    for (const ModelStatus& status : models_.all(request.caller.get())) {
      if (!status.model || !status.model->adapters) continue;
      for (const auto& adapter : status.model->adapters->all())
        list.push_back(adapter_json(*status.model, *adapter));
    }
    send_json(reply, {{"object", "list"}, {"data", list}});
  }

  void load(const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) const {
    expect_admin(request);
    const AdapterFields fields = read(request);
    const ModelLease lease = models_.find(fields.model, request.caller.get()).value();
    const ServedModel& model = *lease;
    model.expect_decoder().value();
    models_.check_adapter_name_is_free(fields.name, model).value();
    model.adapters->load(fields.name, allowed(routes_.folder, fields.path)).value();
    if (routes_.changed) routes_.changed();
    send_json(*reply, adapter_json(model, *model.adapters->find(fields.name)));
  }

  void unload(const HttpRequest& request, const std::string& name,
              const std::shared_ptr<HttpReply>& reply) const {
    expect_admin(request);
    for (const ModelStatus& status : models_.all()) {
      if (!status.model || !status.model->adapters || !status.model->adapters->unload(name)) continue;
      if (routes_.changed) routes_.changed();
      return send_json(*reply, {{"id", name}, {"object", "adapter"}, {"deleted", true}});
    }
    throw Exception(make_error(ErrorCode::not_found, fmt::format("there is no adapter '{}'", name)));
  }

 private:
  const ModelTable& models_;
  const AdapterRoutes routes_;
};

}  // namespace

void add_adapters(Router& router, const ModelTable& models, AdapterRoutes routes) {
  const auto handlers = std::make_shared<const Handlers>(models, std::move(routes));
  router.add("GET", "/v1/adapters",
             [handlers](const HttpRequest& request, const PathParameters&, const auto& reply) {
               handlers->list(request, *reply);
             });
  for (const char* path : {"/v1/adapters", "/v1/load_lora_adapter"}) {
    router.add("POST", path,
               [handlers, &models](const HttpRequest& request, const PathParameters&, const auto& reply) {
                 when_loaded(
                     models, request, reply,
                     [handlers](const HttpRequest& again, const auto& to) { handlers->load(again, to); },
                     [](const Error& error) { return to_response(api_error_of(error)); });
               });
  }
  router.add("DELETE", "/v1/adapters/{name}",
             [handlers](const HttpRequest& request, const PathParameters& path, const auto& reply) {
               handlers->unload(request, path.at("name"), reply);
             });
  router.add("POST", "/v1/unload_lora_adapter",
             [handlers](const HttpRequest& request, const PathParameters&, const auto& reply) {
               handlers->unload(request, read(request).name, reply);
             });
}

}  // namespace quern::server
