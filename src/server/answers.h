// The answers to one request: asks the engine for each, and gives them to whoever writes them down.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "server/http_message.h"
#include "server/model_table.h"

namespace quern::server {

// Hears of the answers of one request, one call at a time.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;
  // What a pass brought to answer `index`.
  virtual void update(size_t index, engine::Update&& update) = 0;
  // Every answer has had its last update.
  virtual void finish() = 0;
  // One of them failed, and nothing more comes.
  virtual void fail(const Error& error) = 0;
};

// Hears, once for each answer, what it took; it may be empty.
using Spent = std::function<void(const engine::Usage&)>;

// Asks for all of `requests`, or for none. When the client of `reply` leaves, what is unfinished is cancelled. Errors of
// EngineThread::submit: the writer has not been called then.
Result<void> ask(const ServedModel& model, std::vector<engine::Request> requests,
                 std::shared_ptr<AnswerWriter> writer, const std::shared_ptr<HttpReply>& reply, Spent spent);

}  // namespace quern::server
