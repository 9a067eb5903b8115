#include "server/ollama_embed.h"

#include <fmt/format.h>

#include <utility>

#include "base/clock.h"
#include "base/config.h"
#include "base/exception.h"
#include "server/api_format.h"
#include "server/embeddings.h"
#include "server/ollama_request.h"

namespace quern::server {

namespace {

constexpr size_t kMostInputs = 2048;

struct EmbedFields {
  std::vector<std::string> input;
  std::string prompt;
  bool truncate = true;
  int64_t dimensions = 0;

  void fields(Fields& f) {
    f.add("input", input, "texts");
    f.add("prompt", prompt, "a text");
    f.add("truncate", truncate, "of texts that are too long, read the beginning");
    f.add("dimensions", dimensions, "of the vectors; 0: all").at_least(0);
  }
};

}  // namespace

void ollama_embed(const ModelTable& models, const HttpRequest& request,
                  const std::shared_ptr<HttpReply>& reply) {
  const Json body = body_of(request);
  const ModelLease model = find_ollama_model(body, models, request.caller.get()).value().model;
  model->expect_encoder().value();
  keep_ollama_model(body, *model, models).value();
  EmbedFields asked;
  fields_of(asked).load_json(body, "request").value();
  const bool many = request.path == "/api/embed";
  if (!many) asked.input = {asked.prompt};
  if (asked.input.size() > kMostInputs)
    throw Exception(wrong_value("input", fmt::format("at most {} texts", kMostInputs), asked.input.size()));
  EncoderInputs inputs;
  for (const std::string& text : asked.input)
    inputs.push_back(read_text(*model, text, std::nullopt, asked.truncate).value());
  const int64_t tokens = tokens_of(inputs);
  const auto answer = [reply, many, tokens, name = model->name,
                       time = Stopwatch()](const std::vector<infer::Embedding>& vectors) {
    Json told = {{"model", name}};
    if (many) {
      told["embeddings"] = vectors;
      told["total_duration"] = static_cast<int64_t>(1e9 * time.seconds());
      told["load_duration"] = 0;
      told["prompt_eval_count"] = tokens;
    } else {
      told = {{"embedding", vectors.at(0)}};
    }
    send_json(*reply, told);
  };
  if (inputs.empty()) return answer({});
  embed(model, std::move(inputs), asked.dimensions, answer, reply, models.meter(request.caller)).value();
}

}  // namespace quern::server
