// Writes the answer to POST /v1/responses down, whole or in events.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "server/answers.h"
#include "server/response_items.h"
#include "server/sse.h"

namespace quern::server {

class ResponseWriter final : public AnswerWriter {
 public:
  // Gets the whole response, and what it adds to the conversation, before the client does.
  using Keep = std::function<void(const Json& response, Json message)>;

  // `echo`: what the response repeats of its request. `keep` may be empty.
  ResponseWriter(ChatCall call, const Json& echo, std::shared_ptr<HttpReply> reply, Keep keep);

  void update(size_t index, engine::Update&& update) override;
  void finish() override;
  void fail(const Error& error) override;

 private:
  Json response(std::string_view status) const;
  Json usage() const;
  void tell(std::string_view type, const Json& event);
  void begin();

  ChatCall call_;
  Json head_;
  std::shared_ptr<HttpReply> reply_;
  Keep keep_;
  AnswerReader reader_;
  ResponseItems items_;
  std::optional<SseStream> events_;
  int64_t next_event_ = 0;
  Json logprobs_ = Json::array();  // of tokens whose text has not come yet
  engine::Usage usage_;
  int64_t reasoning_tokens_ = 0;
  infer::FinishReason finish_ = infer::FinishReason::stop;
};

}  // namespace quern::server
