// How many requests and tokens each caller may use: token buckets by name.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "server/api_error.h"
#include "server/http_message.h"

namespace quern::server {

struct RateLimits {
  int64_t requests_per_minute = 0;  // 0: no limit
  int64_t tokens_per_day = 0;       // of prompts and answers; 0: no limit
};

// Requests refill evenly over the minute and tokens over the day; a caller who was silent may use them all at once.
// Thread-safe.
class RateLimiter {
 public:
  using Clock = std::chrono::steady_clock;

  struct Verdict {
    std::optional<ApiError> refusal;  // 429 with the seconds after which to come again
    HttpHeaders headers;  // x-ratelimit-limit-requests, -remaining-, -reset-, and the same of tokens
  };
  // Counts one request. Refuses it when no request is left, or no token.
  Verdict admit(std::string_view name, const RateLimits& limits, Clock::time_point now = Clock::now());

  // Counts tokens that were used. What is used beyond the budget has to be waited for.
  void spend(std::string_view name, const RateLimits& limits, int64_t tokens,
             Clock::time_point now = Clock::now());

 private:
  struct Bucket {
    int64_t size = 0;  // 0: not in use
    double level = 0;
    Clock::time_point at;
    void fill(int64_t wanted_size, double seconds, Clock::time_point now);
  };
  struct Buckets {
    Bucket requests, tokens;
  };
  Buckets& refilled(std::string_view name, const RateLimits& limits, Clock::time_point now);
  void forget_full(Clock::time_point now);

  std::mutex mutex_;
  std::map<std::string, Buckets, std::less<>> callers_;
  size_t clean_at_ = 1024;
};

}  // namespace quern::server
