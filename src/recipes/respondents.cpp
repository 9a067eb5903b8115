#include "recipes/respondents.h"

#include <fmt/format.h>

#include <algorithm>

#include "infer/loaded_adapter.h"
#include "store/environment.h"
#include "writing/endpoint.h"
#include "writing/local_respondent.h"

namespace quern::recipes {

namespace {

constexpr const char* kDefaultKey = "QUERN_ENDPOINT_KEY";

Field& add_model(Fields& f, RespondentConfig& config) {
  return f.add("model", config.model,
               "model folder, GGUF file, or a name in the store; its name there where an endpoint is asked");
}

void add_others(Fields& f, RespondentConfig& config) {
  f.add("adapter", config.adapter, "PEFT folder that goes with the model");
  f.add("at_once", config.at_once, "answers given at a time: memory of the cache, not results")
      .range(1, 4096);
  f.add("dtype", config.dtype, "of activations", {{"f32", DType::f32}, {"bf16", DType::bf16}});
  f.group("endpoint", config.endpoint);
}

Result<std::string> key_of(const EndpointConfig& config) {
  const std::string key = store::environment(config.key_env.c_str());
  if (key.empty() && config.key_env != kDefaultKey) {
    return make_error(ErrorCode::not_found,
                      fmt::format("endpoint.key_env: the environment has no {}", config.key_env),
                      fmt::format("export {}=KEY, or leave endpoint.key_env as it is where no key is needed",
                                  config.key_env));
  }
  return key;
}

}  // namespace

void EndpointConfig::fields(Fields& f) {
  f.add("url", url,
        "server that answers /v1/chat/completions, such as https://HOST/v1; empty: a model on this machine");
  f.add("key_env", key_env, "environment variable that holds the key; it may be unset");
  f.add("parallel", parallel, "questions asked at a time").range(1, 256);
  f.add("timeout", timeout, "seconds that an answer may take").range(1, 86400);
  f.add("attempts", attempts, "at one question, where the server is busy or out of reach").range(1, 100);
  f.add("allow_http", allow_http, "without encryption also beyond this machine");
}

void RespondentConfig::fields(Fields& f) {
  add_model(f, *this).required();
  add_others(f, *this);
}

void OtherRespondentConfig::fields(Fields& f) {
  add_model(f, *this);
  add_others(f, *this);
}

Result<void> RespondentConfig::check(const Fields& loaded) const {
  for (const Field& field : loaded.all()) {
    const bool of_endpoints = field.key().starts_with("endpoint.");
    const bool of_models = field.key() == "adapter" || field.key() == "dtype" || field.key() == "at_once";
    if (field.origin().empty() || (is_remote() ? !of_models : !of_endpoints || field.key() == "endpoint.url"))
      continue;
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("{} is set at {}, and {} has none", field.key(), field.origin(),
                    is_remote() ? "an endpoint" : "a model on this machine"),
        is_remote() ? "endpoint.parallel says how many questions are asked at a time" : "set endpoint.url");
  }
  return {};
}

nlohmann::ordered_json RespondentConfig::identity() const {
  nlohmann::ordered_json who = {{"model", model}, {"endpoint", is_remote()}};
  if (!is_remote()) {
    who["adapter"] = adapter;
    who["dtype"] = dtype == DType::bf16 ? "bf16" : "f32";
  }
  return who;
}

Result<std::shared_ptr<infer::LoadedModel>> RespondentConfig::load() const {
  if (is_remote()) return std::shared_ptr<infer::LoadedModel>();
  QUERN_TRY(infer::LoadedModel opened, infer::open_model(model, dtype));
  auto loaded = std::make_shared<infer::LoadedModel>(std::move(opened));
  if (!adapter.empty()) {
    QUERN_TRY(const auto with, infer::open_adapter("adapter", loaded->model, adapter));
    loaded->model.set_adapter({with, with->weights.get()});
  }
  return loaded;
}

Result<std::unique_ptr<writing::Respondent>> RespondentConfig::open(
    std::shared_ptr<const infer::LoadedModel> loaded, int64_t context) const {
  if (loaded) return writing::LocalRespondent::create(std::move(loaded), context, at_once);
  QUERN_TRY(std::string key, key_of(endpoint));
  return writing::open_endpoint({.url = endpoint.url,
                                 .model = model,
                                 .key = std::move(key),
                                 .parallel = endpoint.parallel,
                                 .http = {.attempts = static_cast<int>(endpoint.attempts),
                                          .stall_seconds = static_cast<long>(endpoint.timeout),
                                          .whole_seconds = static_cast<double>(endpoint.timeout),
                                          .allow_http = endpoint.allow_http,
                                          .allow_http_by = "endpoint.allow_http=true",
                                          .task = "endpoint",
                                          .ca_file = {}}});
}

void settle_respondent(nlohmann::ordered_json& settings, const RespondentConfig& config) {
  for (const char* key : {"model", "adapter", "at_once", "dtype", "endpoint"}) settings.erase(key);
  settings["respondent"] = config.identity();
}

Result<int64_t> context_of(const infer::LoadedModel* loaded, int64_t context, int64_t longest) {
  if (loaded == nullptr) return context;
  const int64_t positions = loaded->model.config().max_positions;
  if (longest < std::min(context, positions)) return std::min(context, positions);
  return make_error(
      ErrorCode::invalid_argument,
      fmt::format("an answer may have {} tokens, which leaves no room for a question: {}", longest,
                  positions <= context ? fmt::format("the model has {} positions", positions)
                                       : fmt::format("context is {}", context)),
      "shorten the answers, or raise context where the model has the positions");
}

Result<void> need_chat_template(const infer::Language* language) {
  if (language == nullptr || !language->templates.empty()) return {};
  return make_error(ErrorCode::unsupported, "model: it has no chat template, and is asked as an assistant",
                    "take a model that was tuned to chat, or one behind an endpoint: --endpoint URL");
}

}  // namespace quern::recipes
