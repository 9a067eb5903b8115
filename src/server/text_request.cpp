#include "server/text_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <random>

#include "base/json.h"
#include "base/nearest.h"
#include "server/api_format.h"
#include "server/message_text.h"
#include "server/response_format.h"

namespace quern::server {

namespace {

constexpr std::string_view kSource = "request";

// Other APIs' names; where both are given, the one on the left wins.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kAliases{{
    {"max_completion_tokens", "max_tokens"},
    {"n_predict", "max_tokens"},
    {"repeat_penalty", "repetition_penalty"},
    {"typ_p", "typical_p"},
    {"dry_allowed_length", "dry_allowed"},
    {"dry_penalty_last_n", "dry_last_n"},
    {"min_new_tokens", "min_tokens"},
    {"no_repeat_ngram_size", "no_repeat_ngram"},
}};

// Known, and no fields of TextRequest: some are read by themselves below, the others change nothing about an answer here.
constexpr std::array<std::string_view, 11> kOtherNames{"user",
                                                       "store",
                                                       "metadata",
                                                       "service_tier",
                                                       "safety_identifier",
                                                       "prompt_cache_key",
                                                       "stream_options",
                                                       "logit_bias",

                                                       "verbosity",
                                                       "cache_prompt",
                                                       "skip_special_tokens"};

Json with_own_names(const Json& body) {
  Json renamed = body;
  for (const auto& [alias, name] : kAliases) {
    const auto found = renamed.find(alias);
    if (found == renamed.end()) continue;
    if (!found->is_null()) renamed[std::string(name)] = *found;
    renamed.erase(std::string(alias));
  }
  return renamed;
}

Result<int32_t> token_id(const std::string& text) {
  int32_t id = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (status != std::errc() || end != text.data() + text.size() || id < 0)
    return wrong_value("logit_bias", "token ids with numbers", text);
  return id;
}

// {"50256": -100} of OpenAI, or [[50256, -100], [7, false]] of llama-server, where false forbids.
Result<std::vector<std::pair<int32_t, float>>> read_bias(const Json& value) {
  std::vector<std::pair<int32_t, float>> biases;
  const auto add = [&](int32_t id, const Json& bias) -> Result<void> {
    if (bias.is_boolean() && !bias.get<bool>()) {
      biases.emplace_back(id, -std::numeric_limits<float>::infinity());
    } else if (bias.is_number() && std::abs(bias.get<double>()) <= 1e6) {
      biases.emplace_back(id, bias.get<float>());
    } else {
      return wrong_value("logit_bias", "token ids with numbers", bias);
    }
    return {};
  };
  if (value.is_object()) {
    for (const auto& [key, bias] : value.items()) {
      QUERN_TRY(const int32_t id, token_id(key));
      QUERN_CHECK(add(id, bias));
    }
  } else if (value.is_array()) {
    for (const Json& pair : value) {
      if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number_integer())
        return wrong_value("logit_bias", "token ids with numbers", pair);
      QUERN_TRY(const int32_t id, token_id(pair[0].dump()));
      QUERN_CHECK(add(id, pair[1]));
    }
  } else if (!value.is_null()) {
    return wrong_value("logit_bias", "token ids with numbers", value);
  }
  return biases;
}

Result<void> read_stream_options(const Json& body, TextRequest& request) {
  const auto options = body.find("stream_options");
  if (options == body.end() || options->is_null()) return {};
  if (!options->is_object()) return wrong_value("stream_options", "an object", *options);
  const auto usage = options->find("include_usage");
  if (usage == options->end() || usage->is_null()) return {};
  if (!usage->is_boolean()) return wrong_value("stream_options.include_usage", "true or false", *usage);
  request.include_usage = usage->get<bool>();
  return {};
}

Result<void> take_constraint(const Json& body, TextRequest& request) {
  QUERN_TRY(const std::optional<grammar::Constraint> constraint, read_constraint(body));
  if (!constraint) return {};
  QUERN_TRY(request.options.constraint, request.model->forms->get(*constraint));
  return {};
}

}  // namespace

void TextRequest::fields(Fields& f) {
  f.add("model", model_name, "name of the model, or of an adapter");
  f.add("adapter", adapter_name, "name of one of the model's adapters");
  options.sampling.fields(f);
  options.rules.fields(f);
  f.add("max_tokens", options.max_tokens, "longest answer, in tokens; -1: what the context leaves")
      .at_least(-1);
  f.add("stop", options.stop, "texts that end the answer");
  f.add("ignore_eos", options.ignore_eos, "go on past the model's end token");
  f.add("context_shift", options.context_shift, "in a full context, forget the oldest and go on");
  f.add("n", n, "answers").range(1, 128);
  f.add("best_of", best_of, "give the likeliest n of so many answers").range(0, 128);
  f.add("stream", stream, "send pieces as they come");
  f.add("priority", priority, "the smaller, the sooner").range(-1000, 1000);
  f.add("timeout", timeout, "seconds until the answer is given up; 0: never").at_least(0);
  f.add("cache_salt", cache_salt, "share cached prompts only with requests of the same salt");
  f.add("stop_token_ids", stop_token_ids, "tokens that end the answer").at_least(0);
}

Result<text::ChatRequest> read_conversation(const Json& body) {
  QUERN_TRY(text::ChatRequest chat, text::chat_request_from_json(body));
  QUERN_CHECK(normalize_messages(chat.messages));
  if (!body.contains("add_generation_prompt")) chat.add_generation_prompt = chat.continue_field.empty();
  return chat;
}

Result<TextRequest> read_text_request(const Json& body, std::span<const std::string> own,
                                      const ModelTable& models, const Caller* caller) {
  if (!body.is_object())
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{}: expected an object, got {}", kSource, json_excerpt(body)));
  TextRequest request;
  Fields fields = fields_of(request);
  Json mine = with_own_names(body);
  for (const std::string& key : own) mine.erase(key);
  QUERN_TRY(const std::vector<std::string> others, fields.load_json(mine, kSource));
  std::vector<std::string> known(own.begin(), own.end());
  for (const Field& field : fields.all()) known.push_back(field.key());
  for (const auto& [alias, name] : kAliases) known.emplace_back(alias);
  for (const std::string_view name : kOtherNames) known.emplace_back(name);
  known.insert(known.end(), constraint_keys().begin(), constraint_keys().end());
  for (const std::string& name : others) {
    if (std::ranges::find(known, name) != known.end()) continue;
    if (const std::string nearest = nearest_name(name, known); !nearest.empty()) {
      return make_error(ErrorCode::invalid_argument, fmt::format("{}: unknown parameter '{}'", kSource, name),
                        fmt::format("did you mean '{}'?", nearest));
    }
  }
  QUERN_TRY(const ModelChoice choice, models.choose(request.model_name, request.adapter_name, caller));
  request.model = choice.model;
  request.adapter = choice.adapter;
  QUERN_CHECK(request.model->expect_decoder());
  if (caller != nullptr) {
    request.tenant = caller->name;
    request.priority -= caller->priority;  // where more goes first
  }
  QUERN_CHECK(infer::take_defaults(request.model->loaded->sampling, fields, fields));
  QUERN_CHECK(read_stream_options(body, request));
  if (const auto bias = body.find("logit_bias"); bias != body.end()) {
    QUERN_TRY(request.options.sampling.logit_bias, read_bias(*bias));
  }
  QUERN_CHECK(take_constraint(body, request));
  if (const auto seed = body.find("seed"); seed == body.end() || seed->is_null())
    request.options.sampling.seed = std::random_device()();
  if (request.best_of > 0 && request.best_of < request.n)
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("{}: best_of must be at least n, got {} and {}", kSource, request.best_of, request.n));
  return request;
}

engine::Request to_engine_request(const TextRequest& request, std::vector<int32_t> prompt, int64_t answer) {
  engine::Request result{.prompt = std::move(prompt),
                         .options = request.options,
                         .adapter = request.adapter,
                         .scope = fmt::format("{}/{}", request.tenant, request.cache_salt),
                         .priority = request.priority,
                         .timeout = request.timeout,
                         .top_logprobs = request.top_logprobs};
  infer::CompletionOptions& options = result.options;
  options.stream = static_cast<uint64_t>(answer);
  options.end_tokens = request.model->loaded->end_tokens;
  for (const int64_t id : request.stop_token_ids) options.end_tokens.push_back(static_cast<int32_t>(id));
  if (options.max_tokens < 0) {
    const int64_t before = result.adapter ? result.adapter->weights->virtual_tokens() : 0;
    const auto held = before + static_cast<int64_t>(result.prompt.size());
    options.max_tokens = std::max<int64_t>(1, request.model->engine->engine().context() - held);
  }
  return result;
}

}  // namespace quern::server
