#include "server/rate_limiter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace quern::server {

namespace {

constexpr double kMinute = 60, kDay = 86'400;

// "1s", "6m12s", "2h0m3s".
std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::ceil(seconds));
  if (whole >= 3600) return fmt::format("{}h{}m{}s", whole / 3600, whole / 60 % 60, whole % 60);
  if (whole >= 60) return fmt::format("{}m{}s", whole / 60, whole % 60);
  return fmt::format("{}s", whole);
}

void add_headers(HttpHeaders& headers, std::string_view what, int64_t size, double level, double seconds) {
  if (size == 0) return;
  headers[fmt::format("x-ratelimit-limit-{}", what)] = std::to_string(size);
  headers[fmt::format("x-ratelimit-remaining-{}", what)] =
      std::to_string(std::max<int64_t>(0, static_cast<int64_t>(std::floor(level))));
  const double full_in = (static_cast<double>(size) - level) * seconds / static_cast<double>(size);
  headers[fmt::format("x-ratelimit-reset-{}", what)] = duration_text(full_in);
}

ApiError refusal(std::string message, const char* code, double wait) {
  ApiError error = api_error(429, std::move(message), code);
  error.retry_after = std::max(1, static_cast<int>(std::ceil(wait)));
  return error;
}

}  // namespace

// A bucket of another size keeps what was used.
void RateLimiter::Bucket::fill(int64_t wanted_size, double seconds, Clock::time_point now) {
  level += static_cast<double>(wanted_size - size);
  size = wanted_size;
  if (at != Clock::time_point()) {
    const double passed = std::max(0.0, std::chrono::duration<double>(now - at).count());
    level += passed * static_cast<double>(size) / seconds;
  }
  level = std::min(level, static_cast<double>(size));
  at = std::max(at, now);
}

RateLimiter::Buckets& RateLimiter::refilled(std::string_view name, const RateLimits& limits,
                                            Clock::time_point now) {
  auto at = callers_.find(name);
  if (at == callers_.end()) {
    if (callers_.size() >= clean_at_) forget_full(now);
    at = callers_.emplace(name, Buckets()).first;
  }
  at->second.requests.fill(limits.requests_per_minute, kMinute, now);
  at->second.tokens.fill(limits.tokens_per_day, kDay, now);
  return at->second;
}

// Names may come from tokens that others make: those whose buckets are full need not be remembered.
void RateLimiter::forget_full(Clock::time_point now) {
  const auto full = [&](Bucket& bucket, double seconds) {
    bucket.fill(bucket.size, seconds, now);
    return bucket.level >= static_cast<double>(bucket.size);
  };
  for (auto at = callers_.begin(); at != callers_.end();) {
    at = full(at->second.requests, kMinute) && full(at->second.tokens, kDay) ? callers_.erase(at)
                                                                             : std::next(at);
  }
  clean_at_ = std::max<size_t>(1024, 2 * callers_.size());
}

RateLimiter::Verdict RateLimiter::admit(std::string_view name, const RateLimits& limits,
                                        Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  auto& [requests, tokens] = refilled(name, limits, now);
  Verdict verdict;
  if (requests.size > 0 && requests.level < 1) {
    verdict.refusal =
        refusal(fmt::format("the limit of {} requests per minute is reached", requests.size),
                "rate_limit_exceeded", (1 - requests.level) * kMinute / static_cast<double>(requests.size));
  } else if (tokens.size > 0 && tokens.level < 1) {
    verdict.refusal =
        refusal(fmt::format("the limit of {} tokens per day is reached", tokens.size), "insufficient_quota",
                (1 - tokens.level) * kDay / static_cast<double>(tokens.size));
  } else if (requests.size > 0) {
    requests.level -= 1;
  }
  add_headers(verdict.headers, "requests", requests.size, requests.level, kMinute);
  add_headers(verdict.headers, "tokens", tokens.size, tokens.level, kDay);
  return verdict;
}

void RateLimiter::spend(std::string_view name, const RateLimits& limits, int64_t tokens,
                        Clock::time_point now) {
  if (limits.tokens_per_day == 0 || tokens <= 0) return;
  const std::lock_guard lock(mutex_);
  refilled(name, limits, now).tokens.level -= static_cast<double>(tokens);
}

}  // namespace quern::server
