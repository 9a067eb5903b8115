#include "server/auth.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "server/reply_headers.h"
#include "server/request_notes.h"

namespace quern::server {

namespace {

// The credential of "Bearer abc"; schemes are compared without case (RFC 9110 section 11.1).
std::string_view bearer(std::string_view authorization) {
  constexpr std::string_view kScheme = "Bearer ";
  constexpr CaseInsensitiveLess less;
  const std::string_view scheme = authorization.substr(0, kScheme.size());
  if (less(scheme, kScheme) || less(kScheme, scheme)) return {};
  authorization.remove_prefix(kScheme.size());
  authorization.remove_prefix(std::min(authorization.find_first_not_of(' '), authorization.size()));
  return authorization;
}

}  // namespace

// Null with the reason when the request shows nothing that holds.
std::shared_ptr<const Caller> Auth::identify(const HttpRequest& request, std::string& why) {
  std::string_view credential = bearer(request.header("authorization"));
  if (credential.empty()) credential = request.header("x-api-key");
  if (credential.empty()) {
    why = "this server needs a key: expected the header \"Authorization: Bearer KEY\"";
    return nullptr;
  }
  if (options_.keys != nullptr) {
    if (auto caller = options_.keys->find(credential)) return caller;
  }
  why = "this key is not known";
  if (!options_.tokens || std::count(credential.begin(), credential.end(), '.') != 2) return nullptr;
  const auto claims = options_.tokens->verify(credential);
  if (!claims.ok()) {
    why = claims.error().message;
    return nullptr;
  }
  auto caller = std::make_shared<Caller>(options_.token_caller);
  const auto subject = claims->find("sub");
  if (subject == claims->end() || !subject->is_string()) {
    why = "the bearer token has no \"sub\"";
    return nullptr;
  }
  caller->name = "token:" + subject->get<std::string>();  // no subject can pass for the owner of a key
  return caller;
}

Auth::Decision Auth::decide(const HttpRequest& request, RateLimiter::Clock::time_point now) {
  if (options_.open_paths.contains(request.path) || (options_.keys == nullptr && !options_.tokens)) return {};
  Decision decision;
  std::string why;
  decision.caller = identify(request, why);
  if (decision.caller == nullptr) {
    decision.refusal = api_error(401, why, "invalid_api_key");
    decision.headers["WWW-Authenticate"] = "Bearer";
    return decision;
  }
  auto verdict = limiter_.admit(decision.caller->name, decision.caller->limits, now);
  decision.refusal = std::move(verdict.refusal);
  decision.headers = std::move(verdict.headers);
  return decision;
}

HttpServer::Handler Auth::guard(HttpServer::Handler next) {
  return [this, next = std::move(next)](HttpRequest request, std::shared_ptr<HttpReply> reply) {
    Decision decision = decide(request);
    if (!decision.headers.empty()) reply = with_headers(std::move(reply), std::move(decision.headers));
    if (decision.refusal) return reply->send(to_response(*decision.refusal));
    if (const auto notes = reply->notes(); notes && decision.caller) notes->set_caller(decision.caller->name);
    request.caller = std::move(decision.caller);
    next(std::move(request), std::move(reply));
  };
}

}  // namespace quern::server
