// Finds the handler of a request by method and path.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http_message.h"

namespace quern::server {

// What a path had in place of "{name}", percent-decoded.
using PathParameters = std::map<std::string, std::string>;

// Add all routes first; handle() is then thread-safe.
class Router {
 public:
  using Handler = std::function<void(HttpRequest, const PathParameters&, const std::shared_ptr<HttpReply>&)>;

  // Segments of `pattern` are literal, "{name}" for one that is not empty, or, at the end, "{name...}" for one or more:
  // "/v1/models/{model...}" takes "/v1/models/org/name". Literals win over parameters. Throws InternalError when the
  // pattern is malformed or the route is there already.
  void add(std::string_view method, std::string_view pattern, Handler handler);

  // Calls the handler of the route; HEAD goes to GET where it has no handler of its own. Otherwise answers itself: 404
  // (which names the nearest path), 405 with Allow, and 204 with Allow to OPTIONS.
  void handle(HttpRequest request, const std::shared_ptr<HttpReply>& reply) const;

  // The pattern that `path` falls under, to count by; empty when there is none.
  std::string_view pattern_of(std::string_view path) const;

 private:
  struct Segment {
    enum class Kind { literal, one, rest };  // in the order in which they are preferred
    Kind kind;
    std::string text;  // the literal, or the name of the parameter
  };
  struct Route {
    std::string pattern;
    std::vector<Segment> segments;
    std::map<std::string, Handler, std::less<>> handlers;  // by method
  };

  static std::vector<Segment> parse_pattern(std::string_view pattern);
  static std::optional<PathParameters> match(const Route& route, const std::vector<std::string_view>& path);
  const Route* find(std::string_view path, PathParameters& parameters) const;
  HttpResponse not_found(const HttpRequest& request) const;

  std::vector<Route> routes_;  // the first that matches is the one
};

}  // namespace quern::server
