#include "server/served_model.h"

#include <fmt/format.h>

#include "infer/constraint.h"
#include "infer/embed.h"
#include "server/api_format.h"

namespace quern::server {

Result<std::shared_ptr<grammar::TokenMasks>> Forms::get(const grammar::Constraint& constraint) {
  std::call_once(prepared_, [&] {
    auto vocabulary = infer::make_vocabulary(loaded_->tokenizer, loaded_->end_tokens);
    if (vocabulary.ok()) {
      grammars_.emplace(*std::move(vocabulary));
    } else {
      failure_ = std::move(vocabulary).error();
    }
  });
  if (failure_) return *failure_;
  return grammars_->get(constraint);
}

Result<ServedModel> serve_model(std::string name, std::shared_ptr<const infer::LoadedModel> loaded,
                                const engine::EngineOptions& options, int64_t most_waiting) {
  ServedModel model{
      .name = std::move(name), .created = unix_seconds(), .loaded = std::move(loaded), .engine = {}};
  QUERN_TRY(auto engine, engine::Engine::create(model.loaded, options));
  model.engine = std::make_shared<engine::EngineThread>(std::move(engine), most_waiting);
  model.forms = std::make_shared<Forms>(model.loaded);
  model.adapters = std::make_shared<AdapterTable>(model.loaded);
  return model;
}

bool ServedEncoder::scores_pairs() const {
  const model::ModelConfig& config = loaded->model.config();
  return config.head == model::Head::sequence_classification && config.labels.size() == 1;
}

Result<ServedModel> serve_encoder(std::string name, std::shared_ptr<const infer::LoadedEncoder> loaded,
                                  infer::SentenceForm form, int64_t most_waiting) {
  QUERN_CHECK(infer::check_form(form, loaded->model.config()));
  const int64_t longest = form.longest;
  auto thread = std::make_shared<engine::EncoderThread>(loaded, longest, most_waiting);
  auto encoder = std::make_shared<const ServedEncoder>(
      ServedEncoder{.loaded = std::move(loaded), .form = std::move(form), .thread = std::move(thread)});
  return ServedModel{.name = std::move(name),
                     .created = unix_seconds(),
                     .loaded = {},
                     .engine = {},
                     .encoder = std::move(encoder)};
}

std::string_view ServedModel::kind() const {
  return !encoder ? "decoder" : encoder->scores_pairs() ? "cross-encoder" : "encoder";
}

int64_t ServedModel::context() const {
  return encoder ? encoder->thread->session().longest() : engine->engine().context();
}

int64_t ServedModel::bytes() const {
  int64_t bytes = encoder ? 0 : engine->engine().cache_bytes();
  const auto count = [&](const std::string&, const nn::Parameter& parameter) {
    bytes += parameter.value().bytes();
  };
  if (encoder) {
    nn::visit(encoder->loaded->model, count);
  } else {
    nn::visit(loaded->model, count);
  }
  return bytes;
}

Result<void> ServedModel::expect_decoder() const {
  if (!encoder) return {};
  const std::string_view route = encoder->scores_pairs() ? "/v1/rerank" : "/v1/embeddings";
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("the model '{}' reads texts and writes none", name),
                    fmt::format("it is for {}; name another model for answers", route));
}

Result<void> ServedModel::expect_encoder() const {
  if (encoder) return {};
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("the model '{}' writes texts, and makes no embeddings", name),
                    "serve an encoder beside it, such as all-minilm-l6-v2, and name that");
}

// Tokenizers that strip the space before a text keep it before a second token.
std::string token_text(const text::Tokenizer& tokenizer, int32_t token) {
  if (std::optional<std::string> bytes = tokenizer.token_bytes(token)) return *std::move(bytes);
  const text::DecodeOptions all{.skip_special_tokens = false};
  const std::string once = tokenizer.decode(std::vector<int32_t>{token}, all),
                    twice = tokenizer.decode(std::vector<int32_t>{token, token}, all);
  return twice.size() > once.size() ? twice.substr(once.size()) : once;
}

}  // namespace quern::server
