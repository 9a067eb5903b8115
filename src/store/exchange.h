// One HTTP request and its answer, without redirects or retries: the only place that talks to libcurl's easy
// interface.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/http.h"

namespace quern::store {

struct ExchangeResult {
  ResponseHead head;           // status 0 where no answer came
  std::string error_body;      // the beginning of what came with a status that is no 2xx
  std::optional<Error> error;  // of the connection, the sink or the user (cancelled)
  bool transient = false;      // the error may pass: of the connection
  bool again = false;          // the sink asks for another request at once
  double retry_after = 0;      // seconds that the server asks to wait
};

// Sends `request` with these headers to `url`, which redirects have led to. The content of a 2xx answer goes to `sink`. The
// credentials are sent when the origins match.
ExchangeResult exchange(const Url& url, const std::vector<std::string>& headers, const Request& request,
                        const HttpOptions& options, BodySink& sink);

}  // namespace quern::store
