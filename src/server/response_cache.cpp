#include "server/response_cache.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/json.h"
#include "server/caller.h"
#include "server/forwarding_reply.h"

namespace quern::server {

namespace {

constexpr const char* kHeader = "x-quern-cache";
constexpr uint64_t kOverhead = 128;  // of an entry beside its texts
// Of answers that are sampled, and of those that never are.
constexpr std::array<std::string_view, 2> kSampled = {"/v1/chat/completions", "/v1/completions"};
constexpr std::array<std::string_view, 3> kComputed = {"/v1/embeddings", "/v1/rerank", "/rerank"};

bool contains(std::span<const std::string_view> paths, std::string_view path) {
  return std::ranges::find(paths, path) != paths.end();
}

bool is_repeatable(const nlohmann::json& body) {
  const auto temperature = body.find("temperature"), seed = body.find("seed");
  const bool greedy = temperature != body.end() && temperature->is_number() && *temperature == 0;
  return greedy || (seed != body.end() && seed->is_number_integer());
}

// Keeps a copy of what is answered, for the cache.
class LearningReply final : public ForwardingReply {
 public:
  LearningReply(std::shared_ptr<HttpReply> reply, ResponseCache& cache, std::string key)
      : ForwardingReply(std::move(reply)), cache_(cache), key_(std::move(key)), epoch_(cache.epoch()) {}

  void send(HttpResponse response) override {
    if (response.status == 200) cache_.add(key_, {.response = response, .streamed = false}, epoch_);
    response.headers[kHeader] = "miss";
    ForwardingReply::send(std::move(response));
  }
  void begin(int status, std::string_view content_type, HttpHeaders headers) override {
    known_ = status == 200;
    answer_ = {.response = {.status = status,
                            .content_type = std::string(content_type),
                            .body = {},
                            .headers = headers},
               .streamed = true};
    headers[kHeader] = "miss";
    ForwardingReply::begin(status, content_type, std::move(headers));
  }
  void write(std::string_view bytes) override {
    std::string& body = answer_.response.body;
    known_ = known_ && body.size() + bytes.size() <= cache_.most_bytes_of_one();
    if (known_) {
      body.append(bytes);
    } else {
      body = {};
    }
    ForwardingReply::write(bytes);
  }
  void end() override {
    // A stream that failed after it began has status 200 as well. Answers cannot hold these bytes: their quotes are escaped.
    const bool failed = answer_.response.body.find("data: {\"error\"") != std::string::npos;
    if (known_ && !failed) cache_.add(key_, std::move(answer_), epoch_);
    ForwardingReply::end();
  }

 private:
  ResponseCache& cache_;
  const std::string key_;
  const uint64_t epoch_;
  CachedAnswer answer_;
  bool known_ = false;  // answer_ is all of what was written
};

void replay(const CachedAnswer& answer, HttpReply& reply) {
  HttpResponse response = answer.response;
  response.headers[kHeader] = "hit";
  if (!answer.streamed) return reply.send(std::move(response));
  reply.begin(response.status, response.content_type, std::move(response.headers));
  reply.write(response.body);
  reply.end();
}

}  // namespace

std::shared_ptr<const CachedAnswer> ResponseCache::find(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto* const known = answers_.find(key);
  ++(known == nullptr ? misses_ : hits_);
  return known == nullptr ? nullptr : *known;
}

void ResponseCache::add(const std::string& key, CachedAnswer answer, uint64_t epoch) {
  const uint64_t bytes = kOverhead + key.size() + answer.response.body.size() + sizeof(CachedAnswer);
  if (bytes > most_bytes_of_one()) return;
  const std::lock_guard lock(mutex_);
  if (epoch == epoch_) answers_.put(key, std::make_shared<const CachedAnswer>(std::move(answer)), bytes);
}

void ResponseCache::forget() {
  const std::lock_guard lock(mutex_);
  answers_.clear();
  ++epoch_;
}

uint64_t ResponseCache::epoch() const {
  const std::lock_guard lock(mutex_);
  return epoch_;
}

ResponseCache::Stats ResponseCache::stats() const {
  const std::lock_guard lock(mutex_);
  return {hits_, misses_, static_cast<int64_t>(answers_.count()), static_cast<int64_t>(answers_.size())};
}

std::optional<std::string> response_cache_key(const HttpRequest& request) {
  const bool sampled = contains(kSampled, request.path);
  if (request.method != "POST" || (!sampled && !contains(kComputed, request.path))) return std::nullopt;
  const auto body = parse_json(request.body, "request");
  if (!body.ok() || !body->is_object() || (sampled && !is_repeatable(*body))) return std::nullopt;
  std::string key = request.path;
  key.push_back('\0');
  if (request.caller) key.append(request.caller->name);
  key.push_back('\0');
  return key.append(body->dump());  // keys in one order
}

HttpServer::Handler with_response_cache(ResponseCache& cache, HttpServer::Handler next) {
  return [&cache, next = std::move(next)](HttpRequest request, std::shared_ptr<HttpReply> reply) {
    std::optional<std::string> key = response_cache_key(request);
    if (!key) return next(std::move(request), std::move(reply));
    if (const auto known = cache.find(*key)) return replay(*known, *reply);
    next(std::move(request), std::make_shared<LearningReply>(std::move(reply), cache, *std::move(key)));
  };
}

}  // namespace quern::server
