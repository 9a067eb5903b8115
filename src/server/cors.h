// Which web pages may use the server: CORS (the Fetch standard), and a guard against pages that point a name of their own
// at this machine (DNS rebinding).
#pragma once

#include <string>
#include <vector>

#include "server/http_server.h"

namespace quern::server {

struct CorsOptions {
  // "https://app.example.org", or "*" for any. Pages that the server itself serves need no entry.
  std::vector<std::string> origins = {};
  // When not empty: a request must name one of these hosts, localhost, or an address of numbers.
  std::vector<std::string> hosts = {};
};

// Requests of pages from elsewhere get a 403 and do not reach `next`; those of allowed ones get their preflights answered
// and the headers they need. Requests without Origin, which do not come from pages, pass.
HttpServer::Handler with_cors(CorsOptions options, HttpServer::Handler next);

}  // namespace quern::server
