// The chunks in which OpenAI's API streams completions and conversations.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "server/http_message.h"
#include "server/sse.h"
#include "server/text_request.h"

namespace quern::server {

// What every document of one answer begins with: an id of its own ("chatcmpl-..."), when, by which model, with which seed.
Json answer_head(std::string_view id_prefix, std::string_view object, const TextRequest& request);

// Thread-safe as its reply is. The answer begins with the first chunk: what fails before is refused as a whole.
class ChunkStream {
 public:
  // `include_usage`: the last chunk tells what was used, the others that they do not.
  ChunkStream(std::shared_ptr<HttpReply> reply, Json head, bool include_usage)
      : reply_(std::move(reply)), head_(std::move(head)), include_usage_(include_usage) {}

  bool begun() const { return events_.has_value(); }
  void send(Json choice);
  void finish(const Json& usage);
  void fail(const Error& error);

 private:
  SseStream& events();

  std::shared_ptr<HttpReply> reply_;
  Json head_;
  bool include_usage_;
  std::optional<SseStream> events_;
};

}  // namespace quern::server
