// The models of a server by the names that clients call them by, and who may use which.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/caller.h"
#include "server/http_message.h"
#include "server/model_slots.h"

namespace quern::server {

// What a request means by a name.
struct ModelName {
  std::string model;
  std::string adapter = {};  // of it; empty: none
};

// A model as a request means it.
struct ModelChoice {
  ModelLease model = {};
  std::shared_ptr<const infer::LoadedAdapter> adapter = {};

  std::string name() const;  // "model", or "model:adapter"
};

// The default first. Thread-safe once all are added.
class ModelTable {
 public:
  void add(ServedModel model);
  void add(ModelSource source);
  void set_limits(const ModelLimits& limits) { slots_->set_limits(limits); }

  // What there is that `caller` may use; null: everything.
  std::vector<ModelStatus> all(const Caller* caller = nullptr) const;
  bool has(const std::string& name) const;
  // Of a model's name, "model:adapter", or the name of an adapter of a model that is loaded; without a name the only model.
  // not_found names those there are; permission where `caller` may not use it.
  Result<ModelName> resolve(const std::string& name, const Caller* caller) const;
  // The same, for as long as the lease is held. Throws ModelAway where the model is not loaded: see when_loaded().
  Result<ModelLease> find(const std::string& name, const Caller* caller) const;
  // The same with the adapter that the name means, or that `adapter` names where it is not empty. not_found, too, for an
  // unknown adapter.
  Result<ModelChoice> choose(const std::string& name, const std::string& adapter, const Caller* caller) const;
  // conflict where `name` means a model, or the adapter of another than `model`.
  Result<void> check_adapter_name_is_free(const std::string& name, const ServedModel& model) const;
  ModelSlots& slots() const { return *slots_; }

  // Who counts the tokens that callers used.
  using Meter = std::function<void(const Caller& caller, int64_t tokens)>;
  void set_meter(Meter meter) { meter_ = std::move(meter); }
  // Counts an answer of `caller`; empty where nobody is known or counts.
  std::function<void(const engine::Usage&)> meter(const std::shared_ptr<const Caller>& caller) const;

 private:
  Result<ModelName> resolve(const std::string& name) const;

  std::vector<std::string> names_;
  std::unique_ptr<ModelSlots> slots_ = std::make_unique<ModelSlots>();
  Meter meter_;
};

// What answers a request over the models, and may throw Exception.
using ModelHandler = std::function<void(const HttpRequest&, const std::shared_ptr<HttpReply>&)>;
// Calls `handler`, now and, where it finds a model away, once that is there. What it throws now is the caller's to answer;
// later `refuse` answers it, as it does where the model cannot be loaded. `models` must outlive the answer.
void when_loaded(const ModelTable& models, const HttpRequest& request,
                 const std::shared_ptr<HttpReply>& reply, const ModelHandler& handler,
                 const std::function<HttpResponse(const Error&)>& refuse);

}  // namespace quern::server
