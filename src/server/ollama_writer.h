// Writes the answers of Ollama's /api/generate and /api/chat down, whole or line by line (newline-delimited JSON).
#pragma once

#include <memory>
#include <string>

#include "server/answer_reader.h"
#include "server/answers.h"
#include "server/ollama_request.h"

namespace quern::server {

class OllamaWriter final : public AnswerWriter {
 public:
  OllamaWriter(OllamaRoute route, ChatCall call, std::shared_ptr<HttpReply> reply);

  void update(size_t index, engine::Update&& update) override;
  void finish() override;
  void fail(const Error& error) override;

 private:
  Json said(const std::string& content, const std::string& reasoning, const Json& calls) const;
  Json calls_json() const;
  void send(const Json& line);

  OllamaRoute route_;
  ChatCall call_;
  std::shared_ptr<HttpReply> reply_;
  AnswerReader reader_;
  Answer answer_;  // all of it, or, in a stream, calls that are not whole yet
  engine::Usage usage_;
  bool begun_ = false;
};

// {"model", "created_at"} and what every line begins with.
Json ollama_head(const std::string& model);
// {"error": MESSAGE}, as Ollama's clients expect errors.
HttpResponse ollama_error(const Error& error);

}  // namespace quern::server
