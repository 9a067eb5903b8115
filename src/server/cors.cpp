#include "server/cors.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/api_error.h"
#include "server/reply_headers.h"

namespace quern::server {

namespace {

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// "here:8080" as "here", "[::1]:8080" as "[::1]".
std::string_view without_port(std::string_view host) {
  const size_t bracket = host.starts_with('[') ? host.find(']') : 0;
  if (bracket == std::string_view::npos) return host;
  return host.substr(0, host.find(':', bracket));
}

// Names can be pointed anywhere by who owns them, addresses cannot.
bool is_address(std::string_view host) {
  return host.starts_with('[') ||
         (!host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos);
}

bool host_allowed(const CorsOptions& options, std::string_view host) {
  if (options.hosts.empty()) return true;
  const std::string_view name = without_port(host);
  return name.empty() || name == "localhost" || is_address(name) || contains(options.hosts, name);
}

bool same_origin(std::string_view origin, std::string_view host) {
  const size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && origin.substr(scheme + 3) == host;
}

HttpResponse preflight_answer(const HttpRequest& request) {
  HttpResponse response;
  response.status = 204;
  response.headers["Access-Control-Allow-Methods"] = request.header("access-control-request-method");
  if (const auto wanted = request.header("access-control-request-headers"); !wanted.empty()) {
    response.headers["Access-Control-Allow-Headers"] = wanted;
  }
  response.headers["Access-Control-Max-Age"] = "600";
  return response;
}

HttpResponse refusal(std::string message) {
  return to_response(api_error(403, std::move(message), "origin_not_allowed"));
}

}  // namespace

HttpServer::Handler with_cors(CorsOptions options, HttpServer::Handler next) {
  return [options = std::move(options), next = std::move(next)](HttpRequest request,
                                                                std::shared_ptr<HttpReply> reply) {
    const std::string host(request.header("host"));
    if (!host_allowed(options, host)) {
      return reply->send(refusal(fmt::format("this server does not go by the name {}", host)));
    }
    const std::string origin(request.header("origin"));
    if (origin.empty() || same_origin(origin, host)) return next(std::move(request), std::move(reply));
    if (!contains(options.origins, "*") && !contains(options.origins, origin)) {
      return reply->send(refusal(fmt::format("pages from {} may not use this server", origin)));
    }
    // What a page needs to read the answer.
    const auto wrapped = with_headers(std::move(reply), {{"Access-Control-Allow-Origin", origin},
                                                         {"Access-Control-Expose-Headers", "*"},
                                                         {"Vary", "Origin"}});
    if (request.method == "OPTIONS" && !request.header("access-control-request-method").empty()) {
      return wrapped->send(preflight_answer(request));
    }
    next(std::move(request), wrapped);
  };
}

}  // namespace quern::server
