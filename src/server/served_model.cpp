#include "server/served_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "infer/constraint.h"
#include "infer/embed.h"
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
  model.adapters = std::make_shared<AdapterTable>(model.loaded);
  return model;
}

bool ServedEncoder::scores_pairs() const {
  const model::ModelConfig& config = loaded->model.config();
  return config.head == model::Head::sequence_classification && config.labels.size() == 1;
}

Result<ServedModel> serve_encoder(std::string name, std::shared_ptr<const infer::LoadedEncoder> loaded,
                                  infer::SentenceForm form, int64_t most_waiting) {
  QUERN_CHECK(infer::check_form(form, loaded->model.config()));
  const int64_t longest = form.longest;
  auto thread = std::make_shared<engine::EncoderThread>(loaded, longest, most_waiting);
  auto encoder = std::make_shared<const ServedEncoder>(
      ServedEncoder{.loaded = std::move(loaded), .form = std::move(form), .thread = std::move(thread)});
  return ServedModel{.name = std::move(name),
                     .created = unix_seconds(),
                     .loaded = {},
                     .engine = {},
                     .encoder = std::move(encoder)};
}

std::string_view ServedModel::kind() const {
  return !encoder ? "decoder" : encoder->scores_pairs() ? "cross-encoder" : "encoder";
}

int64_t ServedModel::context() const {
  return encoder ? encoder->thread->session().longest() : engine->engine().context();
}

Result<void> ServedModel::expect_decoder() const {
  if (!encoder) return {};
  const std::string_view route = encoder->scores_pairs() ? "/v1/rerank" : "/v1/embeddings";
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("the model '{}' reads texts and writes none", name),
                    fmt::format("it is for {}; name another model for answers", route));
}

Result<void> ServedModel::expect_encoder() const {
  if (encoder) return {};
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("the model '{}' writes texts, and makes no embeddings", name),
                    "serve an encoder beside it, such as all-minilm-l6-v2, and name that");
}

std::string ModelChoice::name() const {
  return adapter ? fmt::format("{}:{}", model->name, adapter->name) : model->name;
}

Result<ModelChoice> ModelTable::find(const std::string& name) const {
  if (name.empty() && models_.size() == 1) return ModelChoice{&models_.front()};
  const auto found = std::ranges::find(models_, name, &ServedModel::name);
  if (found != models_.end()) return ModelChoice{&*found};
  std::vector<std::string> names;
  for (const ServedModel& model : models_) {
    names.push_back(model.name);
    if (!model.adapters) continue;
    const bool of_model = name.starts_with(model.name + ":");
    const auto adapter = model.adapters->find(of_model ? name.substr(model.name.size() + 1) : name);
    if (adapter) return ModelChoice{&model, adapter};
    for (const auto& known : model.adapters->all()) names.push_back(known->name);
  }
  if (name.empty()) {
    return make_error(ErrorCode::invalid_argument, "no model was named",
                      fmt::format("say \"model\": one of {}", fmt::join(names, ", ")));
  }
  return make_error(ErrorCode::not_found, fmt::format("the model '{}' does not exist", name),
                    fmt::format("there are: {}", fmt::join(names, ", ")));
}

Result<ModelChoice> ModelTable::choose(const std::string& name, const std::string& adapter,
                                       const Caller* caller) const {
  QUERN_TRY(ModelChoice choice, find(name));
  if (caller != nullptr && !caller->may_use(choice.model->name)) {
    return make_error(
        ErrorCode::permission,
        fmt::format("the key of '{}' does not allow the model '{}'", caller->name, choice.model->name),
        fmt::format("it allows: {}", fmt::join(caller->models, ", ")));
  }
  if (adapter.empty()) return choice;
  choice.adapter = choice.model->adapters ? choice.model->adapters->find(adapter) : nullptr;
  if (choice.adapter) return choice;
  return make_error(ErrorCode::not_found,
                    fmt::format("the model '{}' has no adapter '{}'", choice.model->name, adapter),
                    "GET /v1/adapters lists them");
}

Result<const ServedModel*> ModelTable::find(const std::string& name, const Caller* caller) const {
  QUERN_TRY(const ModelChoice choice, choose(name, "", caller));
  return choice.model;
}

Result<void> ModelTable::check_adapter_name_is_free(const std::string& name, const ServedModel& model) const {
  for (const ServedModel& other : models_) {
    const bool taken = &other != &model && other.adapters && other.adapters->find(name);
    if (other.name != name && !taken) continue;
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

// Tokenizers that strip the space before a text keep it before a second token.
std::string token_text(const text::Tokenizer& tokenizer, int32_t token) {
  if (std::optional<std::string> bytes = tokenizer.token_bytes(token)) return *std::move(bytes);
  const text::DecodeOptions all{.skip_special_tokens = false};
  const std::string once = tokenizer.decode(std::vector<int32_t>{token}, all),
                    twice = tokenizer.decode(std::vector<int32_t>{token, token}, all);
  return twice.size() > once.size() ? twice.substr(once.size()) : once;
}

}  // namespace quern::server
