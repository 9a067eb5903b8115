// Lets those in who may: by API key or bearer token, within their limits.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "server/api_keys.h"
#include "server/http_server.h"
#include "server/jwt.h"
#include "server/rate_limiter.h"

namespace quern::server {

struct AuthOptions {
  std::unique_ptr<ApiKeys> keys = {};      // null: no keys
  std::optional<JwtVerifier> tokens = {};  // nothing: no bearer tokens
  Caller token_caller = {};                // what bearers of tokens may do; their name is their "sub"
  std::set<std::string, std::less<>> open_paths = {"/health"};  // those that need neither
};

// Thread-safe.
class Auth {
 public:
  explicit Auth(AuthOptions options) : options_(std::move(options)) {}

  struct Decision {
    std::shared_ptr<const Caller> caller;
    std::optional<ApiError> refusal;  // 401 or 429
    HttpHeaders headers;              // for the answer: x-ratelimit-*, WWW-Authenticate
  };
  // Reads "Authorization: Bearer ..." or "x-api-key: ..." and counts the request.
  Decision decide(const HttpRequest& request, RateLimiter::Clock::time_point now = RateLimiter::Clock::now());

  // Counts what a request used, when it is over; see RateLimiter.
  void spend(const Caller& caller, int64_t tokens) { limiter_.spend(caller.name, caller.limits, tokens); }

  // Refuses, or puts the caller into the request and passes it on. Needs to outlive the handler.
  HttpServer::Handler guard(HttpServer::Handler next);

 private:
  std::shared_ptr<const Caller> identify(const HttpRequest& request, std::string& why);

  AuthOptions options_;
  RateLimiter limiter_;
};

}  // namespace quern::server
