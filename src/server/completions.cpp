#include "server/completions.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/exception.h"
#include "base/json.h"
#include "server/answers.h"
#include "server/api_error.h"
#include "server/api_format.h"
#include "server/chunk_stream.h"

namespace quern::server {

namespace {

constexpr int64_t kDefaultTokens = 16;  // as OpenAI's
constexpr size_t kMostPrompts = 1024;
const std::vector<std::string> kCompletionKeys = {"prompt", "echo", "logprobs", "suffix"};

struct CompletionCall {
  TextRequest text;
  bool echo = false;
  std::vector<std::vector<int32_t>> prompts;

  int64_t tries() const { return std::max(text.n, text.best_of); }  // for each prompt
};

bool is_token_list(const Json& value) {
  return value.is_array() && !value.empty() &&
         std::ranges::all_of(value, [](const Json& item) { return item.is_number_integer(); });
}

Result<std::vector<int32_t>> read_prompt(const Json& value, const infer::LoadedModel& loaded) {
  if (value.is_string()) return infer::encode_prompt(loaded.tokenizer, value.get<std::string>());
  if (!is_token_list(value)) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("request: prompt must be text, tokens, or a list of these, got {}", json_excerpt(value)));
  }
  std::vector<int32_t> tokens;
  for (const Json& item : value) {
    const auto id = item.get<int64_t>();
    // The engine names tokens that are outside the vocabulary.
    tokens.push_back(id < 0 || id > INT32_MAX ? -1 : static_cast<int32_t>(id));
  }
  return tokens;
}

struct OwnFields {
  bool echo = false;
  int64_t logprobs = -1;
  std::string suffix;
  void fields(Fields& f) {
    f.add("echo", echo, "begin the answer with the prompt");
    f.add("logprobs", logprobs, "tell log-probabilities, and so many likeliest tokens beside each")
        .range(-1, 20);
    f.add("suffix", suffix, "text that follows");
  }
};

Result<CompletionCall> read_completion(const Json& body, const ModelTable& models, const Caller* caller) {
  CompletionCall call;
  QUERN_TRY(call.text, read_text_request(body, kCompletionKeys, models, caller));
  if (call.text.options.max_tokens < 0) call.text.options.max_tokens = kDefaultTokens;
  OwnFields own;
  Fields fields = fields_of(own);
  Json mine = Json::object();
  for (const char* key : {"echo", "suffix", "logprobs"}) {
    const auto found = body.find(key);
    // Some clients say true for one, or false for none.
    if (found == body.end()) continue;
    const bool flag = std::string_view(key) == "logprobs" && found->is_boolean();
    mine[key] = flag ? Json(found->get<bool>() ? 0 : -1) : *found;
  }
  QUERN_TRY(const auto unknown, fields.load_json(mine, "request"));
  if (!own.suffix.empty()) {
    return make_error(ErrorCode::unsupported, "request: suffix is not supported",
                      "write the model's own tokens for filling in between into the prompt");
  }
  call.echo = own.echo;
  call.text.logprobs = own.logprobs >= 0;
  call.text.top_logprobs = std::max<int64_t>(own.logprobs, 0);
  if (call.text.stream && call.text.best_of > call.text.n) {
    return make_error(ErrorCode::invalid_argument, "request: best_of cannot be streamed",
                      "the best answers are known at the end; say n instead");
  }
  const auto prompt = body.find("prompt");
  if (prompt == body.end() || prompt->is_null())
    return make_error(ErrorCode::invalid_argument, "request: prompt is missing");
  const infer::LoadedModel& loaded = *call.text.model->loaded;
  const bool one = !prompt->is_array() || is_token_list(*prompt);
  for (const Json& item : one ? Json::array({*prompt}) : *prompt) {
    QUERN_TRY(std::vector<int32_t> tokens, read_prompt(item, loaded));
    call.prompts.push_back(std::move(tokens));
  }
  if (call.prompts.empty() || call.prompts.size() > kMostPrompts) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("request: 1 to {} prompts, got {}", kMostPrompts, call.prompts.size()));
  }
  return call;
}

// {"tokens", "token_logprobs", "top_logprobs", "text_offset"}: one list of each, in the API's old way.
class LogprobLists {
 public:
  explicit LogprobLists(const text::Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void add(const engine::TokenUpdate& token, bool first_of_prompt = false) {
    const std::string text = token_text(tokenizer_, token.chosen.id);
    tokens_.push_back(text);
    chosen_.push_back(first_of_prompt ? Json(nullptr) : Json(token.chosen.logprob));
    Json top = Json::object();
    for (const engine::TokenLogprob& other : token.top) top[token_text(tokenizer_, other.id)] = other.logprob;
    top_.push_back(first_of_prompt ? Json(nullptr) : std::move(top));
    offsets_.push_back(offset_);
    offset_ += text.size();
  }
  Json take() {
    Json lists = {{"tokens", std::move(tokens_)},
                  {"token_logprobs", std::move(chosen_)},
                  {"top_logprobs", std::move(top_)},
                  {"text_offset", std::move(offsets_)}};
    tokens_ = chosen_ = top_ = offsets_ = Json::array();
    return lists;
  }
  bool empty() const { return tokens_.empty(); }

 private:
  text::Tokenizer tokenizer_;
  Json tokens_ = Json::array(), chosen_ = Json::array(), top_ = Json::array(), offsets_ = Json::array();
  size_t offset_ = 0;
};

class CompletionWriter : public AnswerWriter {
 public:
  explicit CompletionWriter(CompletionCall call) : call_(std::move(call)) {
    const size_t answers = call_.prompts.size() * static_cast<size_t>(call_.tries());
    usages_.resize(answers);
    for (size_t i = 0; i < answers; ++i) logprobs_.emplace_back(tokenizer());
  }

 protected:
  const text::Tokenizer& tokenizer() const { return call_.text.model->loaded->tokenizer; }
  std::string prompt_text(size_t index) const {
    const auto& tokens = call_.prompts[index / static_cast<size_t>(call_.tries())];
    return tokenizer().decode(tokens);
  }
  void take(size_t index, const engine::Update& update) {
    usages_[index] = update.usage;
    if (!call_.text.logprobs) return;
    for (size_t i = 0; i < update.prompt.size(); ++i) logprobs_[index].add(update.prompt[i], i == 0);
    for (const engine::TokenUpdate& token : update.tokens) logprobs_[index].add(token);
  }
  Json usage() const { return usage_json(usages_, static_cast<size_t>(call_.tries())); }

  CompletionCall call_;
  std::vector<engine::Usage> usages_;
  std::vector<LogprobLists> logprobs_;
};

class WholeCompletion final : public CompletionWriter {
 public:
  WholeCompletion(CompletionCall call, std::shared_ptr<HttpReply> reply)
      : CompletionWriter(std::move(call)),
        reply_(std::move(reply)),
        body_(answer_head("cmpl-", "text_completion", call_.text)) {
    answers_.resize(usages_.size());
  }

  void update(size_t index, engine::Update&& update) override {
    Answer& answer = answers_[index];
    take(index, update);
    answer.text += update.text;
    for (const engine::TokenUpdate& token : update.tokens) answer.logprob += token.chosen.logprob;
    if (update.finish) answer.finish = *update.finish;
  }

  void finish() override {
    body_["choices"] = Json::array();
    const auto tries = static_cast<size_t>(call_.tries());
    for (size_t prompt = 0; prompt < call_.prompts.size(); ++prompt) {
      for (const size_t i : best(prompt * tries, tries)) {
        Answer& answer = answers_[i];
        body_["choices"].push_back({{"index", body_["choices"].size()},
                                    {"text", (call_.echo ? prompt_text(i) : std::string()) + answer.text},
                                    {"logprobs", call_.text.logprobs ? logprobs_[i].take() : Json(nullptr)},
                                    {"finish_reason", finish_name(answer.finish)}});
      }
    }
    body_["usage"] = usage();
    reply_->send({.status = 200, .body = to_bytes(body_), .headers = {}});
  }

  void fail(const Error& error) override { reply_->send(to_response(api_error_of(error))); }

 private:
  struct Answer {
    std::string text;
    double logprob = 0.0;
    infer::FinishReason finish = infer::FinishReason::stop;
  };
  // The n answers from `first` on that are likeliest for each of their tokens.
  std::vector<size_t> best(size_t first, size_t count) const {
    std::vector<size_t> order(count);
    std::iota(order.begin(), order.end(), first);
    const auto score = [&](size_t i) {
      return answers_[i].logprob / static_cast<double>(std::max<int64_t>(1, usages_[i].generated_tokens));
    };
    if (call_.text.best_of > call_.text.n)
      std::ranges::stable_sort(order, [&](size_t a, size_t b) { return score(a) > score(b); });
    order.resize(static_cast<size_t>(call_.text.n));
    return order;
  }

  std::shared_ptr<HttpReply> reply_;
  Json body_;
  std::vector<Answer> answers_;
};

class StreamedCompletion final : public CompletionWriter {
 public:
  StreamedCompletion(CompletionCall call, std::shared_ptr<HttpReply> reply)
      : CompletionWriter(std::move(call)),
        chunks_(std::move(reply), answer_head("cmpl-", "text_completion", call_.text),
                call_.text.include_usage) {
    begun_.resize(usages_.size());
  }

  void update(size_t index, engine::Update&& update) override {
    take(index, update);
    std::string text = std::move(update.text);
    if (call_.echo && !begun_[index]) text = prompt_text(index) + text;
    begun_[index] = true;
    Json finish = update.finish ? Json(finish_name(*update.finish)) : Json(nullptr);
    if (text.empty() && finish.is_null() && logprobs_[index].empty()) return;
    chunks_.send({{"index", index},
                  {"text", std::move(text)},
                  {"logprobs", call_.text.logprobs ? logprobs_[index].take() : Json(nullptr)},
                  {"finish_reason", std::move(finish)}});
  }

  void finish() override { chunks_.finish(usage()); }
  void fail(const Error& error) override { chunks_.fail(error); }

 private:
  ChunkStream chunks_;
  std::vector<bool> begun_;
};

}  // namespace

void completions(const ModelTable& models, const HttpRequest& request,
                 const std::shared_ptr<HttpReply>& reply) {
  const Json body = body_of(request);
  CompletionCall call = read_completion(body, models, request.caller.get()).value();
  const ModelLease model = call.text.model;
  std::vector<engine::Request> requests;
  for (const std::vector<int32_t>& prompt : call.prompts) {
    for (int64_t i = 0; i < call.tries(); ++i) {
      requests.push_back(to_engine_request(call.text, prompt, i));
      requests.back().prompt_logprobs = call.echo && call.text.logprobs;
    }
  }
  std::shared_ptr<AnswerWriter> writer;
  if (call.text.stream) {
    writer = std::make_shared<StreamedCompletion>(std::move(call), reply);
  } else {
    writer = std::make_shared<WholeCompletion>(std::move(call), reply);
  }
  ask(*model, std::move(requests), std::move(writer), reply, models.meter(request.caller)).value();
}

}  // namespace quern::server
