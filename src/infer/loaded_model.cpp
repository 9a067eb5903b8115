#include "infer/loaded_model.h"

#include <fmt/format.h>

#include <future>

#include "autograd/graph.h"
#include "formats/gguf/archive.h"
#include "formats/hf_folder.h"

namespace quern::infer {

Result<LoadedModel> open_model(const std::filesystem::path& path, DType compute_dtype, bool pack,
                               bool encoder_decoders) {
  std::filesystem::path source = path;
  if (!formats::is_gguf(path)) {
    QUERN_TRY(const formats::ModelFolder folder, formats::ModelFolder::open(path));
    source = folder.path();
  }
  // Neither needs the other, and each takes a good part of the time until the first token.
  auto reading = std::async(std::launch::async, [&] { return open_language(source); });
  const model::LoadOptions options{.compute_dtype = compute_dtype, .pack = pack};
  QUERN_TRY(const model::ModelConfig config, model::load_config(source));
  std::optional<model::Encoder> encoder;
  const auto load = [&]() -> Result<model::Decoder> {
    if (config.kind != model::Kind::encoder_decoder || !encoder_decoders)
      return model::load_model(source, options);
    QUERN_TRY(model::EncoderDecoder both, model::load_encoder_decoder(source, options));
    encoder = std::move(both.encoder());
    return std::move(both.decoder());
  };
  QUERN_TRY(model::Decoder model, load());
  QUERN_TRY(Language language, reading.get());
  const int64_t known = model.config().vocab_size;
  if (language.tokenizer.vocab_size() > known) {
    return make_error(ErrorCode::conflict,
                      fmt::format("{}: the tokenizer has {} tokens, but the model knows {}", path.string(),
                                  language.tokenizer.vocab_size(), known),
                      "the folder mixes files of two models");
  }
  return LoadedModel{std::move(language), std::move(model), std::move(encoder)};
}

Result<std::vector<int32_t>> read_text(Session& session, const LoadedModel& loaded,
                                       std::span<const int32_t> tokens) {
  const model::ModelConfig& config = loaded.encoder->config();
  const auto count = static_cast<int64_t>(tokens.size());
  if (count == 0)
    return make_error(ErrorCode::invalid_argument, "the prompt is empty", "give at least one token of text");
  if (count > config.max_positions) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("the prompt has {} tokens, but the model reads {}", count, config.max_positions),
        "shorten the prompt");
  }
  for (const int32_t token : tokens) {
    if (token >= 0 && token < config.vocab_size) continue;
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("the prompt holds token {}, but the vocabulary has {}", token, config.vocab_size),
        "the tokenizer belongs to another model");
  }
  const autograd::NoGrad no_grad;
  session.set_source(
      model::read_source(*loaded.encoder, loaded.model, Tensor::from(tokens, {1, count}), {count}));
  return std::vector<int32_t>{static_cast<int32_t>(loaded.model.config().start_token)};
}

}  // namespace quern::infer
