// A reply that adds headers to whatever is answered.
#pragma once

#include <memory>

#include "server/http_message.h"

namespace quern::server {

// What the answer says itself about one of `headers` is replaced.
std::shared_ptr<HttpReply> with_headers(std::shared_ptr<HttpReply> reply, HttpHeaders headers);

}  // namespace quern::server
