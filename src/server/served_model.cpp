#include "server/served_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "infer/constraint.h"
#include "server/api_format.h"

namespace quern::server {

Result<std::shared_ptr<grammar::TokenMasks>> Forms::get(const grammar::Constraint& constraint) {
  std::call_once(prepared_, [&] {
    auto vocabulary = infer::make_vocabulary(loaded_->tokenizer, loaded_->end_tokens);
    if (vocabulary.ok()) {
      grammars_.emplace(*std::move(vocabulary));
    } else {
      failure_ = std::move(vocabulary).error();
    }
  });
  if (failure_) return *failure_;
  return grammars_->get(constraint);
}

Result<ServedModel> serve_model(std::string name, std::shared_ptr<const infer::LoadedModel> loaded,
                                const engine::EngineOptions& options, int64_t most_waiting) {
  ServedModel model{
      .name = std::move(name), .created = unix_seconds(), .loaded = std::move(loaded), .engine = {}};
  QUERN_TRY(auto engine, engine::Engine::create(model.loaded, options));
  model.engine = std::make_shared<engine::EngineThread>(std::move(engine), most_waiting);
  model.forms = std::make_shared<Forms>(model.loaded);
  return model;
}

Result<const ServedModel*> ModelTable::find(const std::string& name) const {
  if (name.empty() && models_.size() == 1) return &models_.front();
  const auto found = std::ranges::find(models_, name, &ServedModel::name);
  if (found != models_.end()) return &*found;
  std::vector<std::string> names;
  for (const ServedModel& model : models_) names.push_back(model.name);
  if (name.empty()) {
    return make_error(ErrorCode::invalid_argument, "no model was named",
                      fmt::format("say \"model\": one of {}", fmt::join(names, ", ")));
  }
  return make_error(ErrorCode::not_found, fmt::format("the model '{}' does not exist", name),
                    fmt::format("there are: {}", fmt::join(names, ", ")));
}

Result<const ServedModel*> ModelTable::find(const std::string& name, const Caller* caller) const {
  QUERN_TRY(const ServedModel* model, find(name));
  if (caller == nullptr || caller->may_use(model->name)) return model;
  return make_error(ErrorCode::permission,
                    fmt::format("the key of '{}' does not allow the model '{}'", caller->name, model->name),
                    fmt::format("it allows: {}", fmt::join(caller->models, ", ")));
}

std::function<void(const engine::Usage&)> ModelTable::meter(
    const std::shared_ptr<const Caller>& caller) const {
  if (!caller || !meter_) return {};
  return [caller, meter = meter_](const engine::Usage& usage) {
    meter(*caller, usage.prompt_tokens + usage.generated_tokens);
  };
}

// Tokenizers that strip the space before a text keep it before a second token.
std::string token_text(const text::Tokenizer& tokenizer, int32_t token) {
  if (std::optional<std::string> bytes = tokenizer.token_bytes(token)) return *std::move(bytes);
  const text::DecodeOptions all{.skip_special_tokens = false};
  const std::string once = tokenizer.decode(std::vector<int32_t>{token}, all),
                    twice = tokenizer.decode(std::vector<int32_t>{token, token}, all);
  return twice.size() > once.size() ? twice.substr(once.size()) : once;
}

}  // namespace quern::server
