#include "server/ollama_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/duration.h"
#include "base/json.h"
#include "server/api_format.h"

namespace quern::server {

namespace {

// Options about how a model is loaded, and of samplers that are gone: they change nothing here.
constexpr std::array<std::string_view, 20> kIdleOptions{"numa",
                                                        "num_ctx",
                                                        "num_batch",
                                                        "num_gpu",
                                                        "main_gpu",
                                                        "low_vram",
                                                        "f16_kv",
                                                        "use_mmap",
                                                        "logits_all",
                                                        "vocab_only",
                                                        "use_mlock",
                                                        "embedding_only",
                                                        "num_thread",
                                                        "num_keep",
                                                        "tfs_z",
                                                        "num_gqa",
                                                        "penalize_newline",
                                                        "draft_num_predict",
                                                        "rope_frequency_base",
                                                        "rope_frequency_scale"};

// A parameter that is not served, unless it says nothing.
Result<void> refuse(const Json& body, const char* key, const char* hint) {
  const auto found = body.find(key);
  if (found == body.end() || found->is_null() || found->empty() || *found == "") return {};
  return make_error(ErrorCode::invalid_argument, fmt::format("request: {} is not supported", key), hint);
}

Result<bool> read_flag(const Json& body, const char* key, bool otherwise) {
  const Json value = body.value(key, Json());
  if (value.is_null()) return otherwise;
  if (!value.is_boolean()) return wrong_value(key, "true or false", value);
  return value.get<bool>();
}

Result<std::string> read_text(const Json& body, const char* key) {
  const Json value = body.value(key, Json());
  if (value.is_null()) return std::string();
  if (!value.is_string()) return wrong_value(key, "text", value);
  return value.get<std::string>();
}

// "options", whose names are mostly those of llama-server.
Result<void> read_options(const Json& body, Json& chat) {
  const Json options = body.value("options", Json());
  if (options.is_null()) return {};
  if (!options.is_object()) return wrong_value("options", "an object", options);
  for (const auto& [key, value] : options.items()) {
    if (std::ranges::find(kIdleOptions, key) != kIdleOptions.end() || value.is_null()) continue;
    if (key == "num_predict") {
      // -1 and -2: without end, and to the end of the context.
      chat["max_tokens"] = value.is_number_integer() && value < 0 ? Json(-1) : value;
    } else if (key == "seed" && value.is_number_integer() && value < 0) {
      continue;  // any
    } else {
      chat[key] = value;
    }
  }
  return {};
}

// "format": "json", or a schema.
Result<void> read_format(const Json& body, Json& chat) {
  const Json format = body.value("format", Json());
  if (format.is_null() || format == "") return {};
  if (format == "json") {
    chat["response_format"] = {{"type", "json_object"}};
  } else if (format.is_object()) {
    chat["json_schema"] = format;
  } else {
    return wrong_value("format", "\"json\" or a JSON schema", format);
  }
  return {};
}

// "think": true, false, or how much.
Result<void> read_think(const Json& body, Json& chat) {
  const Json think = body.value("think", Json());
  if (think.is_null()) return {};
  if (!think.is_boolean() && !think.is_string())
    return wrong_value("think", "true, false, or an effort", think);
  Json& variables = chat["chat_template_kwargs"];
  variables["enable_thinking"] = think != false;
  if (think.is_string()) variables["reasoning_effort"] = think;
  return {};
}

// What both routes share.
Result<Json> read_common(const Json& body, const ModelChoice& choice) {
  QUERN_CHECK(refuse(body, "images", "models here read text only"));
  Json chat = Json::object();
  QUERN_CHECK(read_options(body, chat));
  QUERN_CHECK(read_format(body, chat));
  QUERN_CHECK(read_think(body, chat));
  QUERN_TRY(chat["stream"], read_flag(body, "stream", true));
  for (const char* key : {"logprobs", "top_logprobs"}) {
    if (body.contains(key)) chat[key] = body[key];
  }
  chat["model"] = choice.name();
  return chat;
}

Result<Json> read_messages(const Json& body) {
  Json messages = body.value("messages", Json::array());
  if (messages.is_null()) return Json::array();
  if (!messages.is_array()) return wrong_value("messages", "a list", messages);
  for (Json& message : messages) {
    if (!message.is_object()) return wrong_value("messages", "a list of objects", message);
    QUERN_CHECK(refuse(message, "images", "models here read text only"));
    if (const auto name = message.find("tool_name"); name != message.end()) {
      message["name"] = *name;
      message.erase("tool_name");
    }
  }
  return messages;
}

Result<std::optional<ChatCall>> read_chat_call(const Json& body, Json chat, const ModelTable& models,
                                               const Caller* caller) {
  QUERN_TRY(chat["messages"], read_messages(body));
  if (chat["messages"].empty()) return std::optional<ChatCall>();
  if (body.contains("tools")) chat["tools"] = body["tools"];
  QUERN_TRY(ChatCall call, read_chat(chat, models, caller));
  return std::optional(std::move(call));
}

Result<std::optional<ChatCall>> read_generate_call(const Json& body, Json chat, const ServedModel& model,
                                                   const ModelTable& models, const Caller* caller) {
  QUERN_CHECK(
      refuse(body, "suffix", "write the model's own tokens for filling in between, with \"raw\": true"));
  QUERN_CHECK(refuse(body, "template", "write the prompt as the template would, with \"raw\": true"));
  QUERN_CHECK(refuse(body, "context", "ask /api/chat, with the conversation so far"));
  QUERN_TRY(const std::string prompt, read_text(body, "prompt"));
  QUERN_TRY(const std::string system, read_text(body, "system"));
  QUERN_TRY(const bool raw, read_flag(body, "raw", false));
  if (prompt.empty()) return std::optional<ChatCall>();
  if (raw || model.loaded->templates.empty()) {
    QUERN_TRY(ChatCall call,
              read_plain(chat, system.empty() ? prompt : system + "\n" + prompt, models, caller));
    return std::optional(std::move(call));
  }
  chat["messages"] = Json::array();
  if (!system.empty()) chat["messages"].push_back({{"role", "system"}, {"content", system}});
  chat["messages"].push_back({{"role", "user"}, {"content", prompt}});
  QUERN_TRY(ChatCall call, read_chat(chat, models, caller));
  return std::optional(std::move(call));
}

}  // namespace

Result<ModelChoice> find_ollama_model(const Json& body, const ModelTable& models, const Caller* caller) {
  if (!body.is_object()) return wrong_value("the body", "an object", body);
  // "name" is what the field was called once.
  Json name = body.value("model", Json());
  if (name.is_null() || name == "") name = body.value("name", Json(""));
  if (!name.is_string()) return wrong_value("model", "text", name);
  auto wanted = name.get<std::string>();
  constexpr std::string_view kTag = ":latest";
  if (!models.has(wanted) && wanted.ends_with(kTag)) wanted.resize(wanted.size() - kTag.size());
  return models.choose(wanted, "", caller);
}

Result<bool> keep_ollama_model(const Json& body, const ServedModel& model, const ModelTable& models) {
  const Json given = body.value("keep_alive", Json());
  std::optional<double> seconds;
  if (given.is_number()) {
    seconds = given.get<double>();
  } else if (given.is_string()) {
    QUERN_TRY(seconds, parse_duration(given.get<std::string>()));
  } else if (!given.is_null()) {
    return wrong_value("keep_alive", "seconds, or a duration such as \"5m\"", given);
  }
  models.slots().keep(model.name, seconds);
  return seconds == 0.0;
}

Result<OllamaRequest> read_ollama_request(OllamaRoute route, const Json& body, const ModelTable& models,
                                          const Caller* caller) {
  OllamaRequest request{.route = route};
  QUERN_TRY(const ModelChoice choice, find_ollama_model(body, models, caller));
  request.model = choice.model;
  QUERN_CHECK(request.model->expect_decoder());
  QUERN_TRY(Json chat, read_common(body, choice));
  QUERN_TRY(request.unload, keep_ollama_model(body, *request.model, models));
  if (route == OllamaRoute::chat) {
    QUERN_TRY(request.call, read_chat_call(body, std::move(chat), models, caller));
  } else {
    QUERN_TRY(request.call, read_generate_call(body, std::move(chat), *request.model, models, caller));
  }
  if (request.call && request.call->text.n > 1)
    return make_error(ErrorCode::invalid_argument, "request: options.n must be 1", "ask again");
  return request;
}

}  // namespace quern::server
