// Settings of commands that let models write: who is asked, a model on this machine or one behind an endpoint.
#pragma once

#include <memory>
#include <string>

#include "base/config.h"
#include "infer/loaded_model.h"
#include "writing/respondent.h"

namespace quern::recipes {

// The `endpoint:` section.
struct EndpointConfig {
  std::string url;  // empty: a model on this machine
  std::string key_env = "QUERN_ENDPOINT_KEY";
  int64_t parallel = 8;
  int64_t timeout = 600;
  int64_t attempts = 6;
  bool allow_http = false;

  void fields(Fields& f);
};

struct RespondentConfig {
  std::string model;    // folder or GGUF file; its name at the endpoint
  std::string adapter;  // PEFT folder that goes with it; empty: none
  int64_t at_once = 64;
  DType dtype = DType::f32;
  EndpointConfig endpoint;

  void fields(Fields& f);
  bool is_remote() const { return !endpoint.url.empty(); }
  // invalid_argument for settings that the other kind of respondent has.
  Result<void> check(const Fields& loaded) const;
  // What makes other answers; where an endpoint is, does not.
  nlohmann::ordered_json identity() const;
  // The model with its adapter; null where it is remote. Errors of infer::open_model and open_adapter.
  Result<std::shared_ptr<infer::LoadedModel>> load() const;
  // Whoever answers: `loaded`, or the endpoint where it is null. `context`: tokens of a question with its answer, of the former.
  // Errors of LocalRespondent::create and open_endpoint; not_found where the variable that was named has no key.
  Result<std::unique_ptr<writing::Respondent>> open(std::shared_ptr<const infer::LoadedModel> loaded,
                                                    int64_t context) const;
};

// A section of them that may be left out.
struct OtherRespondentConfig : RespondentConfig {
  void fields(Fields& f);
};

// Fields of RespondentConfig are taken out of `settings` of a whole command, and its identity is put in.
void settle_respondent(nlohmann::ordered_json& settings, const RespondentConfig& config);

// Tokens of a question with its answer: `context`, or fewer where the model on this machine has not so many positions.
// invalid_argument where an answer of `longest` tokens leaves no room for a question. Of an endpoint (null) nothing is known.
Result<int64_t> context_of(const infer::LoadedModel* loaded, int64_t context, int64_t longest);

// unsupported where the model on this machine has no chat template: what is asked here are conversations. Null is an endpoint.
Result<void> need_chat_template(const infer::Language* language);

}  // namespace quern::recipes
