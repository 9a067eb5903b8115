// What the audit log says of a request.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "server/request_record.h"

namespace quern::server {

// {"id", "caller", "remote", "method", "path", "model", "status", "prompt_tokens", "generated_tokens", "seconds", "request",
// "answers"}. `request` is the document that was sent; what is none, or larger than a megabyte, is told by its length.
// `answers` are the texts that the model gave, whatever the form in which they were sent. Nothing known is null.
nlohmann::ordered_json audit_entry(const RequestRecord& record);

}  // namespace quern::server
