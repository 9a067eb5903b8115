#include "model/encoder_decoder.h"

#include "model/block_spec.h"

namespace quern::model {

namespace {
constexpr int64_t kAnyLength = int64_t{1} << 24;  // what an encoder with relative positions reads
}

ModelConfig encoder_part(const ModelConfig& config) {
  ModelConfig c = config;
  c.kind = Kind::encoder;
  c.layers = config.encoder_layers;
  c.heads = c.kv_heads = config.encoder_heads;
  c.head_dim = config.head_dim * config.heads / config.encoder_heads;
  c.intermediate = config.encoder_intermediate;
  c.distinct_layers = 0;
  c.final_state_scale = 1.0;
  if (c.positions == Positions::relative) c.max_positions = kAnyLength;
  return c.resolved();
}

ModelConfig decoder_part(const ModelConfig& config) {
  ModelConfig c = config;
  c.kind = Kind::decoder;
  c.cross_attention = true;
  return c.resolved();
}

Result<EncoderDecoder> EncoderDecoder::create(const ModelConfig& config) {
  QUERN_CHECK(check_kind(config, Kind::encoder_decoder));
  QUERN_CHECK(config.validate());
  const ModelConfig resolved = config.resolved();
  QUERN_TRY(Encoder encoder, Encoder::create(encoder_part(resolved)));
  QUERN_TRY(Decoder decoder, Decoder::create(decoder_part(resolved), encoder.shared_embedding()));
  return EncoderDecoder(resolved, std::move(encoder), std::move(decoder));
}

Result<EncoderDecoder> EncoderDecoder::create(const ModelConfig& config, uint64_t seed, DType dtype) {
  QUERN_TRY(EncoderDecoder model, create(config));
  nn::initialise(model, seed, dtype);
  model.set_compute_dtype(dtype);
  return model;
}

void EncoderDecoder::visit(const nn::Visitor& visitor, const std::string& prefix) {
  encoder_.visit(visitor, prefix + "encoder.");
  decoder_.visit(visitor, prefix + "decoder.");
}

void EncoderDecoder::set_compute_dtype(DType dtype) {
  encoder_.set_compute_dtype(dtype);
  decoder_.set_compute_dtype(dtype);
}

std::shared_ptr<const nn::Source> read_source(const Encoder& encoder, const Decoder& decoder,
                                              const Tensor& tokens, const std::vector<int64_t>& lengths) {
  const Tensor states = encoder.hidden(tokens, nn::ForwardContext::padded(lengths, tokens.dim(1)));
  return decoder.source(states, lengths);
}

}  // namespace quern::model
