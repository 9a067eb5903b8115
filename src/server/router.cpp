#include "server/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/exception.h"
#include "base/nearest.h"
#include "server/api_error.h"

namespace quern::server {

namespace {

constexpr size_t kMostShown = 100;  // of a path, which the client made

// "/a/b" as {"a", "b"}. Precondition: begins with '/'.
std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  for (size_t begin = 1;;) {
    const size_t end = std::min(path.find('/', begin), path.size());
    segments.push_back(path.substr(begin, end - begin));
    if (end == path.size()) return segments;
    begin = end + 1;
  }
}

}  // namespace

std::vector<Router::Segment> Router::parse_pattern(std::string_view pattern) {
  if (!pattern.starts_with('/'))
    throw InternalError(fmt::format("the route {} does not begin with /", pattern));
  std::vector<Segment> segments;
  for (const std::string_view part : split(pattern)) {
    if (!segments.empty() && segments.back().kind == Segment::Kind::rest) {
      throw InternalError(fmt::format("the route {} goes on after its rest", pattern));
    }
    if (!part.starts_with('{') || !part.ends_with('}')) {
      segments.push_back({Segment::Kind::literal, std::string(part)});
      continue;
    }
    const std::string_view name = part.substr(1, part.size() - 2);
    const bool rest = name.ends_with("...");
    segments.push_back({rest ? Segment::Kind::rest : Segment::Kind::one,
                        std::string(name.substr(0, name.size() - (rest ? 3 : 0)))});
  }
  return segments;
}

void Router::add(std::string_view method, std::string_view pattern, Handler handler) {
  const auto same = [&](const Route& route) { return route.pattern == pattern; };
  auto at = std::find_if(routes_.begin(), routes_.end(), same);
  if (at == routes_.end()) {
    Route route{std::string(pattern), parse_pattern(pattern), {}};
    const auto before = [](const Route& a, const Route& b) {
      return std::lexicographical_compare(a.segments.begin(), a.segments.end(), b.segments.begin(),
                                          b.segments.end(),
                                          [](const Segment& x, const Segment& y) { return x.kind < y.kind; });
    };
    at = routes_.insert(std::upper_bound(routes_.begin(), routes_.end(), route, before), std::move(route));
  }
  if (!at->handlers.emplace(method, std::move(handler)).second) {
    throw InternalError(fmt::format("the route {} {} is there twice", method, pattern));
  }
}

std::optional<PathParameters> Router::match(const Route& route, const std::vector<std::string_view>& path) {
  PathParameters parameters;
  const auto& segments = route.segments;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (i >= path.size()) return std::nullopt;
    if (segments[i].kind == Segment::Kind::rest) {
      const std::string_view rest(path[i].data(), path.back().data() + path.back().size());
      auto decoded = percent_decode(rest);
      if (!decoded || decoded->empty()) return std::nullopt;
      parameters[segments[i].text] = std::move(*decoded);
      return parameters;
    }
    auto decoded = percent_decode(path[i]);
    if (!decoded) return std::nullopt;
    if (segments[i].kind == Segment::Kind::literal) {
      if (*decoded != segments[i].text) return std::nullopt;
    } else {
      if (decoded->empty()) return std::nullopt;
      parameters[segments[i].text] = std::move(*decoded);
    }
  }
  if (path.size() != segments.size()) return std::nullopt;
  return parameters;
}

const Router::Route* Router::find(std::string_view path, PathParameters& parameters) const {
  if (!path.starts_with('/')) return nullptr;
  const std::vector<std::string_view> parts = split(path);
  for (const Route& route : routes_) {
    if (auto matched = match(route, parts)) {
      parameters = std::move(*matched);
      return &route;
    }
  }
  return nullptr;
}

std::string_view Router::pattern_of(std::string_view path) const {
  PathParameters ignored;
  const Route* route = find(path, ignored);
  return route == nullptr ? std::string_view() : route->pattern;
}

HttpResponse Router::not_found(const HttpRequest& request) const {
  const std::string path = request.path.substr(0, kMostShown);
  std::vector<std::string> known;
  for (const Route& route : routes_) known.push_back(route.pattern);
  const std::string meant = suggestion(path, known);
  return to_response(api_error(
      404, fmt::format("there is no {} here{}{}", path, meant.empty() ? "" : "; ", meant), "unknown_url"));
}

void Router::handle(HttpRequest request, const std::shared_ptr<HttpReply>& reply) const {
  PathParameters parameters;
  const Route* route = find(request.path, parameters);
  if (route == nullptr) return reply->send(not_found(request));
  auto at = route->handlers.find(request.method);
  if (at == route->handlers.end() && request.method == "HEAD") at = route->handlers.find("GET");
  if (at != route->handlers.end()) return at->second(std::move(request), parameters, reply);

  std::string allow;
  for (const auto& [method, handler] : route->handlers) allow += method + ", ";
  if (route->handlers.contains("GET") && !route->handlers.contains("HEAD")) allow += "HEAD, ";
  allow += "OPTIONS";
  HttpResponse response;
  if (request.method == "OPTIONS") {
    response.status = 204;
  } else {
    response =
        to_response(api_error(405, fmt::format("{} takes {}, not {}", route->pattern, allow, request.method),
                              "method_not_allowed"));
  }
  response.headers["Allow"] = allow;
  reply->send(std::move(response));
}

}  // namespace quern::server
