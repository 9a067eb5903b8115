// What every request for text may say, whatever the API it came by: OpenAI's parameters, and those that vLLM and
// llama-server added.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/request.h"
#include "server/model_table.h"

namespace quern::server {

using Json = nlohmann::ordered_json;

struct TextRequest {
  TextRequest() { options.max_tokens = -1; }

  std::string model_name;
  std::string adapter_name;
  ModelLease model;
  std::shared_ptr<const infer::LoadedAdapter> adapter = {};
  infer::CompletionOptions options;  // max_tokens -1: what the context leaves
  int64_t n = 1;                     // answers
  int64_t best_of = 0;               // of so many; 0: n
  bool stream = false;
  bool include_usage = false;  // in a stream, in a chunk of its own at the end
  int64_t top_logprobs = 0;
  bool logprobs = false;
  int64_t priority = 0;    // the smaller, the sooner
  double timeout = 0.0;    // seconds
  std::string cache_salt;  // requests with other salts share no cached prefix
  std::string tenant;      // nor do those of other callers
  std::vector<int64_t> stop_token_ids;

  void fields(Fields& f);
  // What answers it, as answers say: "model", or "model:adapter".
  std::string answered_by() const { return ModelChoice{model, adapter}.name(); }
};

// Reads `body`, leaving `own` keys to the caller. What is not said is as the model's makers sample, and a seed is drawn.
// not_found for an unknown model; invalid_argument for wrong values, and for names so near to a known one that they must
// be misspelt.
Result<TextRequest> read_text_request(const Json& body, std::span<const std::string> own,
                                      const ModelTable& models, const Caller* caller);

// The conversation of `body`, which the model is to answer unless the body says otherwise. Errors of
// text::chat_request_from_json and normalize_messages.
Result<text::ChatRequest> read_conversation(const Json& body);

// What the model's engine is asked. `answer`: which of the n.
engine::Request to_engine_request(const TextRequest& request, std::vector<int32_t> prompt, int64_t answer);

}  // namespace quern::server
