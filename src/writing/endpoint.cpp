#include "writing/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <optional>
#include <thread>

#include "base/hash.h"
#include "base/json.h"
#include "data/examples/messages.h"

namespace quern::writing {

namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kLongestAnswer = uint64_t{64} << 20;
constexpr int kMostLogprobs = 20;  // OpenAI's limit

Result<store::Url> route_of(const std::string& base) {
  constexpr std::string_view kRoute = "/chat/completions";
  QUERN_TRY(store::Url url, store::parse_url(base));
  while (url.path.ends_with('/')) url.path.pop_back();
  if (url.path.empty()) url.path = "/v1";
  if (!url.path.ends_with(kRoute)) url.path += kRoute;
  return url;
}

Error no_completion(std::string_view what) {
  return make_error(ErrorCode::corrupt, fmt::format("expected a chat completion, {}", what));
}

// The probabilities of the first token's alternatives, by choice. A choice that is not among them has less than the least of
// them, and counts as 0.
Result<void> read_choices(const nlohmann::json& choice, const AskOptions& options, Reply& reply) {
  reply.choices.assign(options.choices.size(), 0.0);
  const auto logprobs = choice.find("logprobs");
  const bool told = logprobs != choice.end() && logprobs->is_object() && logprobs->contains("content") &&
                    (*logprobs)["content"].is_array() && !(*logprobs)["content"].empty();
  if (!told) {
    const int said = choice_of(reply.text, options.choices);
    if (said >= 0) reply.choices[static_cast<size_t>(said)] = 1.0;
    return {};
  }
  const nlohmann::json first = (*logprobs)["content"][0];
  nlohmann::json top = first.is_object() ? first.value("top_logprobs", nlohmann::json::array()) : nullptr;
  if (top.is_array() && top.empty()) top.push_back(first);
  if (!top.is_array()) return no_completion("got logprobs of another form");
  for (const nlohmann::json& token : top) {
    QUERN_TRY(const std::string text, json_get<std::string>(token, "token", "logprobs"));
    QUERN_TRY(const double logprob, json_get<double>(token, "logprob", "logprobs"));
    const int which = choice_of(text, options.choices);
    if (which >= 0) reply.choices[static_cast<size_t>(which)] += std::exp(logprob);
  }
  return {};
}

class Endpoint final : public Respondent {
 public:
  Endpoint(EndpointOptions options, store::Url url) : options_(std::move(options)), url_(std::move(url)) {}

  using Respondent::ask;
  Result<std::vector<Reply>> ask(std::span<const Question> questions, const AskOptions& options,
                                 const Receiver& receive) override {
    std::vector<Reply> replies(questions.size());
    std::atomic<size_t> next = 0;
    std::atomic<bool> over = false;
    std::mutex mutex;            // of what follows, and of `receive`
    std::optional<Error> error;  // the first
    std::vector<std::pair<size_t, Error>> refused;
    const auto work = [&](bool talks) {
      store::HttpOptions http = options_.http;
      if (!talks) http.task.clear();  // one of them says what all meet
      store::HttpClient client(http);
      for (size_t i = next++; i < questions.size() && !over; i = next++) {
        Result<Reply> reply = ask_one(client, questions[i], options);
        const std::lock_guard lock(mutex);
        if (reply.ok()) {
          answered_ = true;
          replies[i] = *std::move(reply);
          receive(i, replies[i]);
        } else if (reply.error().code == ErrorCode::invalid_argument) {
          refused.emplace_back(i, reply.error());
        } else {
          if (!error) error = reply.error();
          over = true;
        }
      }
    };
    run(work, questions.size());
    if (!refused.empty() && !answered_ && !error) error = refused.front().second;
    for (const auto& [place, why] : refused) {
      replies[place] = {.ended = false, .refusal = why.message};
      if (answered_) receive(place, replies[place]);
    }
    if (error) return *error;
    return replies;
  }

 private:
  void run(const std::function<void(bool)>& work, size_t questions) const {
    std::vector<std::thread> workers;
    const size_t count = std::min(questions, static_cast<size_t>(options_.parallel));
    for (size_t i = 1; i < count; ++i) workers.emplace_back(work, false);
    work(true);
    for (std::thread& worker : workers) worker.join();
  }

  Result<Reply> ask_one(store::HttpClient& client, const Question& question, const AskOptions& options) const
      try {
    store::Request request = store::request_for(url_);
    request.headers = {"Content-Type: application/json", "Accept: application/json"};
    if (!options_.key.empty()) request.credentials.bearer = options_.key;
    request.body = completion_request(question, options, options_.model)
                       .dump(-1, ' ', false, Json::error_handler_t::replace);
    const auto check = [&](std::string_view body) -> Result<void> {
      QUERN_TRY(const Reply ignored, read_completion(body, options));
      return {};
    };
    QUERN_TRY(const store::Response response, client.post(request, kLongestAnswer, check));
    return read_completion(response.body, options);
  } catch (const Exception& broken) {
    return broken.error();
  } catch (const std::exception& broken) {
    return make_error(ErrorCode::internal, broken.what());
  }

  EndpointOptions options_;
  store::Url url_;
  bool answered_ = false;  // any question, ever
};

}  // namespace

Json completion_request(const Question& question, const AskOptions& options, const std::string& model) {
  Json messages = question.asked;
  if (messages.is_string())
    messages = Json::array({data::message_of("user", messages.get_ref<const std::string&>())});
  for (Json& message : messages) message.erase("train");
  Json body = {{"model", model}, {"messages", std::move(messages)}};
  if (!question.tools.is_null()) body["tools"] = question.tools;
  body["max_tokens"] = options.choices.empty() ? options.max_tokens : 1;
  body["temperature"] = options.temperature;
  if (options.top_p != 1.0) body["top_p"] = options.top_p;
  if (options.top_k != 0) body["top_k"] = options.top_k;
  // 31 bits: what every server takes.
  body["seed"] = Hasher().add(options.seed).add(question.stream).result().low & 0x7fffffffu;
  if (!options.choices.empty()) {
    body["logprobs"] = true;
    body["top_logprobs"] = kMostLogprobs;
  }
  return body;
}

Result<Reply> read_completion(std::string_view body, const AskOptions& options) {
  Result<nlohmann::json> parsed = parse_json(body, "answer");
  if (!parsed.ok()) return no_completion("got " + parsed.error().message);
  const nlohmann::json& document = *parsed;
  if (!document.is_object() || !document.contains("choices") || !document["choices"].is_array() ||
      document["choices"].empty() || !document["choices"][0].is_object()) {
    return no_completion("got " + json_excerpt(document));
  }
  const nlohmann::json& choice = document["choices"][0];
  const nlohmann::json message = choice.value("message", nlohmann::json());
  if (!message.is_object()) return no_completion("got " + json_excerpt(choice));
  Reply reply;
  const nlohmann::json content = message.value("content", nlohmann::json());
  if (!content.is_string() && !content.is_null())
    return no_completion("got the content " + json_excerpt(content));
  if (content.is_string()) reply.text = content.get<std::string>();
  const nlohmann::json finish = choice.value("finish_reason", nlohmann::json());
  reply.ended = finish == "stop" || finish == "tool_calls" || finish.is_null();
  if (finish == "content_filter") reply.refusal = "the endpoint's filter stopped the answer";
  const nlohmann::json refusal = message.value("refusal", nlohmann::json());
  if (refusal.is_string() && !refusal.get_ref<const std::string&>().empty())
    reply.refusal = refusal.get<std::string>();
  const nlohmann::json usage = document.value("usage", nlohmann::json());
  if (usage.is_object() && usage.contains("completion_tokens") &&
      usage["completion_tokens"].is_number_integer())
    reply.tokens = usage["completion_tokens"].get<int64_t>();
  if (!options.choices.empty()) QUERN_CHECK(read_choices(choice, options, reply));
  return reply;
}

Result<std::unique_ptr<Respondent>> open_endpoint(EndpointOptions options) {
  QUERN_TRY(store::Url url, route_of(options.url));
  return std::unique_ptr<Respondent>(std::make_unique<Endpoint>(std::move(options), std::move(url)));
}

}  // namespace quern::writing
