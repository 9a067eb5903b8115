#include "server/chunk_stream.h"

#include <fmt/format.h>

#include <utility>

#include "server/api_error.h"
#include "server/api_format.h"

namespace quern::server {

Json answer_head(std::string_view id_prefix, std::string_view object, const TextRequest& request) {
  return {{"id", new_id(id_prefix)},
          {"object", object},
          {"created", unix_seconds()},
          {"model", request.answered_by()},
          {"system_fingerprint", fmt::format("seed-{}", request.options.sampling.seed)}};
}

SseStream& ChunkStream::events() {
  if (!events_) events_.emplace(reply_);
  return *events_;
}

void ChunkStream::send(Json choice) {
  Json chunk = head_;
  chunk["choices"] = Json::array({std::move(choice)});
  if (include_usage_) chunk["usage"] = nullptr;
  events().event(to_bytes(chunk));
}

void ChunkStream::finish(const Json& usage) {
  if (include_usage_) {
    Json chunk = head_;
    chunk["choices"] = Json::array();
    chunk["usage"] = usage;
    events().event(to_bytes(chunk));
  }
  events().done();
}

void ChunkStream::fail(const Error& error) {
  if (!events_) return reply_->send(to_response(api_error_of(error)));
  events_->event(to_json(api_error_of(error)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  events_->done();
}

}  // namespace quern::server
