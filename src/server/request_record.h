// Records every request when it is over: how it was answered, and what became known of it.
#pragma once

#include <functional>
#include <string>

#include "server/http_server.h"
#include "server/request_notes.h"
#include "server/router.h"

namespace quern::server {

struct RequestRecord {
  std::string id = {};  // "req-" and 32 hexadecimal digits, which the client finds in "x-request-id"
  std::string method = {}, path = {}, remote = {};
  std::string route = {};  // the pattern of its path; empty: there is none
  std::string body = {};   // where contents are wanted
  int status = 0;          // 499: the client left before the answer was whole
  double seconds = 0.0;
  NotedRequest noted = {};
};

// Called by whoever ends the answer: must be short, and not throw.
using Recorder = std::function<void(const RequestRecord&)>;

// `contents`: keep what was asked and answered for the recorder. `router` must outlive the handler.
HttpServer::Handler with_record(const Router& router, bool contents, Recorder recorder,
                                HttpServer::Handler next);

}  // namespace quern::server
