// What an encoder makes of the texts of one request: as answers.h is for texts that are written.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/answers.h"
#include "server/http_message.h"
#include "server/model_table.h"

namespace quern::server {

using EncoderInputs = std::vector<std::vector<infer::EncoderToken>>;

struct EncoderQuestion {
  EncoderInputs inputs;
  bool head = false;  // as EncoderSession::run
  std::function<void(size_t index, const Tensor& result)> receive;
  std::function<void()> finish;  // has had all results, and answers
};

int64_t tokens_of(const EncoderInputs& inputs);

// Precondition: the model is an encoder. Failures are answered to `reply`; when its client leaves, what is unfinished is
// cancelled. Errors of EncoderThread::submit: nothing was called then.
Result<void> ask_encoder(const ModelLease& model, EncoderQuestion question,
                         const std::shared_ptr<HttpReply>& reply, Spent spent);

// A text as the model reads it. invalid_argument, unless it may be cut, for one that is too long.
Result<std::vector<infer::EncoderToken>> read_text(const ServedModel& model, const std::string& text,
                                                   const std::optional<std::string>& second, bool truncate);

}  // namespace quern::server
