#include "store/http.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"
#include "base/units.h"
#include "store/exchange.h"

namespace quern::store {

namespace {

constexpr int kMaxRedirects = 10;
constexpr int kMaxRestarts = 3;  // of one attempt, by a sink that asks again
constexpr size_t kMaxServerMessage = 300;

bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Statuses by which servers say that the same request may work later.
bool may_pass(long status) {
  return status == 408 || status == 425 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

// The reason a server gives: a header, or {"error": "..."} as the content, or OpenAI's {"error": {"message": "..."}}.
std::string server_message(const ExchangeResult& answer) {
  std::string message = answer.head.header("x-error-message");
  if (message.empty()) {
    const Result<nlohmann::json> document = parse_json(answer.error_body, "answer");
    if (document.ok()) {
      for (const char* path : {"error", "error.message"}) {
        const auto error = json_get<std::string>(*document, path, "answer");
        if (error.ok()) message = *error;
      }
    }
  }
  if (message.size() > kMaxServerMessage) message = message.substr(0, kMaxServerMessage) + "...";
  std::ranges::replace_if(
      message, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return message;
}

Error status_error(const ExchangeResult& answer) {
  const long status = answer.head.status;
  ErrorCode code = ErrorCode::unavailable;
  if (status == 401 || status == 403 || status == 407) {
    code = ErrorCode::permission;
  } else if (status == 404 || status == 410) {
    code = ErrorCode::not_found;
  } else if (status >= 400 && status < 500 && !may_pass(status)) {
    code = ErrorCode::invalid_argument;
  }
  const std::string message = server_message(answer);
  return make_error(code, fmt::format("{}: HTTP status {}{}{}", answer.head.url.display(), status,
                                      message.empty() ? "" : ": ", message));
}

Result<void> wait_for(double seconds) {
  const Stopwatch clock;
  while (clock.seconds() < seconds) {
    if (InterruptGuard::requested()) return make_error(ErrorCode::cancelled, "interrupted");
    const double left = std::min(0.05, seconds - clock.seconds());
    std::this_thread::sleep_for(std::chrono::duration<double>(std::max(left, 0.0)));
  }
  return {};
}

using BodyCheck = std::function<Result<void>(std::string_view)>;

// Content into memory; an attempt that fails leaves nothing.
class MemorySink final : public BodySink {
 public:
  explicit MemorySink(uint64_t limit, BodyCheck check = {}) : limit_(limit), check_(std::move(check)) {}

  Result<std::vector<std::string>> next_headers() override { return std::vector<std::string>{}; }
  Result<bool> begin(const ResponseHead& head) override {
    response.head = head;
    response.body.clear();
    return true;
  }
  Result<void> write(std::span<const std::byte> bytes) override {
    if (bytes.size() > limit_ - response.body.size()) {
      return make_error(ErrorCode::corrupt,
                        fmt::format("{}: the answer is longer than {}, which is the limit here",
                                    response.head.url.display(), human_bytes(limit_)));
    }
    response.body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  Result<void> range_refused() override { return {}; }
  uint64_t kept() const override { return 0; }
  Result<void> complete() const override { return check_ ? check_(response.body) : Result<void>(); }

  Response response;

 private:
  uint64_t limit_;
  BodyCheck check_;
};

}  // namespace

Request request_for(const Url& url) {
  return {.url = url,
          .headers = {},
          .credentials = {.origin = url.origin(), .bearer = {}, .user = url.user, .password = url.password},
          .body = {}};
}

std::string ResponseHead::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

std::optional<uint64_t> ResponseHead::content_length() const {
  const std::string text = header("content-length");
  uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return length;
}

HttpClient::HttpClient(HttpOptions options) : options_(std::move(options)) {}

// How one attempt ended: with an error, which may pass, or well.
struct HttpClient::Outcome {
  std::optional<Error> error;
  bool transient = false;
  double retry_after = 0;
};

Result<void> HttpClient::check_allowed(const Url& url, const Url* from) const {
  if (url.scheme == "https") return {};
  if (from != nullptr && from->scheme == "https") {
    return make_error(ErrorCode::permission, fmt::format("{} redirects to {}, which is not encrypted",
                                                         from->display(), url.display()));
  }
  if (options_.allow_http || url.is_loopback()) return {};
  return make_error(
      ErrorCode::permission,
      fmt::format("{}: refused, because http:// is neither encrypted nor authenticated", url.display()),
      fmt::format("use https://, or {} on a network that you trust", options_.allow_http_by));
}

HttpClient::Outcome HttpClient::attempt(const Request& request, BodySink& sink) {
  Url url = request.url;
  if (Result<void> allowed = check_allowed(url, nullptr); !allowed.ok()) return {.error = allowed.error()};
  int restarts = 0;
  for (int redirects = 0; redirects <= kMaxRedirects;) {
    Result<std::vector<std::string>> own = sink.next_headers();
    if (!own.ok()) return {.error = own.error()};
    std::vector<std::string> headers = request.headers;
    headers.insert(headers.end(), own->begin(), own->end());
    const ExchangeResult answer = exchange(url, headers, request, options_, sink);
    if (answer.error) {
      return {.error = answer.error, .transient = answer.transient, .retry_after = answer.retry_after};
    }
    const long status = answer.head.status;
    if (answer.again || (status == 416 && sink.kept() > 0)) {
      if (status == 416) {
        if (Result<void> reset = sink.range_refused(); !reset.ok()) return {.error = reset.error()};
      }
      if (++restarts <= kMaxRestarts) continue;
      return {.error = make_error(ErrorCode::corrupt,
                                  fmt::format("{}: answers requests for a range wrongly", url.display()))};
    }
    const bool kept = !request.body || status >= 307;  // others make a request without content of it
    if (is_redirect(status) && kept && !answer.head.header("location").empty()) {
      Result<Url> next = join_url(url, answer.head.header("location"));
      if (!next.ok()) return {.error = next.error()};
      if (Result<void> allowed = check_allowed(*next, &url); !allowed.ok()) return {.error = allowed.error()};
      url = *std::move(next);
      ++redirects;
      continue;
    }
    if (status < 200 || status >= 300) {
      return {
          .error = status_error(answer), .transient = may_pass(status), .retry_after = answer.retry_after};
    }
    Result<void> whole = sink.complete();
    if (whole.ok()) return {};
    return {.error = std::move(whole).error().within(url.display()), .transient = true};
  }
  return {.error = make_error(ErrorCode::corrupt, fmt::format("{}: more than {} redirects",
                                                              request.url.display(), kMaxRedirects))};
}

Result<void> HttpClient::fetch(const Request& request, BodySink& sink) {
  for (int failures = 0;;) {
    const uint64_t before = sink.kept();
    Outcome outcome = attempt(request, sink);
    if (!outcome.error) return {};
    if (!outcome.transient) return *std::move(outcome.error);
    if (sink.kept() > before) failures = 0;
    if (++failures >= options_.attempts) {
      return std::move(*outcome.error).within(fmt::format("after {} attempts", failures));
    }
    const double wait = std::max(
        outcome.retry_after, options_.backoff_seconds * static_cast<double>(uint64_t{1} << (failures - 1)));
    if (wait > options_.longest_wait) {
      outcome.error->hint = fmt::format("the server asks to come back in {}", human_duration(wait));
      return *std::move(outcome.error);
    }
    if (!options_.task.empty())
      log::info(options_.task, "{}; trying again in {}", outcome.error->message, human_duration(wait));
    QUERN_CHECK(wait_for(wait));
  }
}

Result<Response> HttpClient::get(const Request& request, uint64_t limit) {
  MemorySink sink(limit);
  QUERN_CHECK(fetch(request, sink));
  return std::move(sink.response);
}

Result<Response> HttpClient::post(const Request& request, uint64_t limit,
                                  const std::function<Result<void>(std::string_view body)>& check) {
  MemorySink sink(limit, check);
  QUERN_CHECK(fetch(request, sink));
  return std::move(sink.response);
}

}  // namespace quern::store
