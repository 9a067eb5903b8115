#include "server/model_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace quern::server {

void ModelTable::add(ServedModel model) {
  names_.push_back(model.name);
  slots_->add(std::move(model));
}

void ModelTable::add(ModelSource source) {
  names_.push_back(source.name);
  slots_->add(std::move(source));
}

std::vector<ModelStatus> ModelTable::all(const Caller* caller) const {
  std::vector<ModelStatus> all = slots_->all();
  if (caller != nullptr) std::erase_if(all, [&](const auto& model) { return !caller->may_use(model.name); });
  return all;
}

bool ModelTable::has(const std::string& name) const {
  return std::ranges::find(names_, name) != names_.end();
}

std::string ModelChoice::name() const {
  return adapter ? fmt::format("{}:{}", model->name, adapter->name) : model->name;
}

Result<ModelName> ModelTable::resolve(const std::string& name) const {
  if (name.empty() && names_.size() == 1) return ModelName{names_.front()};
  if (has(name)) return ModelName{name};
  std::vector<std::string> known;
  for (const ModelStatus& status : slots_->all()) {
    known.push_back(status.name);
    if (name.starts_with(status.name + ":"))
      return ModelName{status.name, name.substr(status.name.size() + 1)};
    if (!status.model || !status.model->adapters) continue;
    if (status.model->adapters->find(name)) return ModelName{status.name, name};
    for (const auto& adapter : status.model->adapters->all()) known.push_back(adapter->name);
  }
  if (name.empty()) {
    return make_error(ErrorCode::invalid_argument, "no model was named",
                      fmt::format("say \"model\": one of {}", fmt::join(known, ", ")));
  }
  return make_error(ErrorCode::not_found, fmt::format("the model '{}' does not exist", name),
                    fmt::format("there are: {}", fmt::join(known, ", ")));
}

Result<ModelName> ModelTable::resolve(const std::string& name, const Caller* caller) const {
  QUERN_TRY(ModelName meant, resolve(name));
  if (caller == nullptr || caller->may_use(meant.model)) return meant;
  return make_error(ErrorCode::permission,
                    fmt::format("the key of '{}' does not allow the model '{}'", caller->name, meant.model),
                    fmt::format("it allows: {}", fmt::join(caller->models, ", ")));
}

Result<ModelChoice> ModelTable::choose(const std::string& name, const std::string& adapter,
                                       const Caller* caller) const {
  QUERN_TRY(ModelName meant, resolve(name, caller));
  if (!adapter.empty()) meant.adapter = adapter;
  ModelChoice choice{.model = slots_->lease(meant.model)};
  if (!choice.model) throw ModelAway(meant.model);
  if (meant.adapter.empty()) return choice;
  if (choice.model->adapters) choice.adapter = choice.model->adapters->find(meant.adapter);
  if (choice.adapter) return choice;
  return make_error(ErrorCode::not_found,
                    fmt::format("the model '{}' has no adapter '{}'", meant.model, meant.adapter),
                    "GET /v1/adapters lists them");
}

Result<ModelLease> ModelTable::find(const std::string& name, const Caller* caller) const {
  QUERN_TRY(ModelChoice choice, choose(name, "", caller));
  return std::move(choice.model);
}

Result<void> ModelTable::check_adapter_name_is_free(const std::string& name, const ServedModel& model) const {
  for (const ModelStatus& other : slots_->all()) {
    const bool others = other.model && other.name != model.name && other.model->adapters;
    if (other.name != name && !(others && other.model->adapters->find(name))) continue;
    return make_error(ErrorCode::conflict, fmt::format("'{}' is the name of another model or adapter", name),
                      "choose another name");
  }
  return {};
}

std::function<void(const engine::Usage&)> ModelTable::meter(
    const std::shared_ptr<const Caller>& caller) const {
  if (!caller || !meter_) return {};
  return [caller, meter = meter_](const engine::Usage& usage) {
    meter(*caller, usage.prompt_tokens + usage.generated_tokens);
  };
}

void when_loaded(const ModelTable& models, const HttpRequest& request,
                 const std::shared_ptr<HttpReply>& reply, const ModelHandler& handler,
                 const std::function<HttpResponse(const Error&)>& refuse) try {
  handler(request, reply);
} catch (const ModelAway& away) {
  const auto kept = std::make_shared<const HttpRequest>(request);
  const auto again = [&models, kept, reply, handler, refuse](const std::optional<Error>& failure) {
    if (failure) return reply->send(refuse(*failure));
    if (reply->closed()) return;
    try {
      when_loaded(models, *kept, reply, handler, refuse);
    } catch (const Exception& refused) {
      reply->send(refuse(refused.error()));
    } catch (const std::exception& broken) {
      reply->send(refuse(make_error(ErrorCode::internal, broken.what())));
    }
  };
  models.slots().load(away.name(), again).value();
}

}  // namespace quern::server
