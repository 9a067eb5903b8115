// A model behind an endpoint that speaks OpenAI's /v1/chat/completions, as a Respondent.
#pragma once

#include <memory>
#include <string>

#include "store/http.h"
#include "writing/respondent.h"

namespace quern::writing {

struct EndpointOptions {
  std::string url;    // ".../v1", or the whole address of the route; of a server alone, /v1 is added
  std::string model;  // its name there
  std::string key;    // bearer token; empty: none
  int64_t parallel = 8;
  store::HttpOptions http = {};
};

// What is sent. Texts to go on with are sent as a message of the user; the stream and the seed become the seed of the request.
nlohmann::ordered_json completion_request(const Question& question, const AskOptions& options,
                                          const std::string& model);
// What came. corrupt where it is no completion. Where the endpoint tells no log-probabilities of choices, the answer itself is
// taken for certain.
Result<Reply> read_completion(std::string_view body, const AskOptions& options);

// `parallel` questions at a time, each tried again as HttpClient does it, and where what came is no completion. A question that
// the endpoint refuses (a status of 4xx that is about the request: too long, against its rules) has Reply::refusal, unless it has
// answered none at all so far: then it is the error. Errors: of HttpClient; invalid_argument for an address that is none.
Result<std::unique_ptr<Respondent>> open_endpoint(EndpointOptions options);

}  // namespace quern::writing
