// EncoderDecoder: an encoder that reads a text and a decoder that writes one in sight of it (Vaswani et al. 2017, arXiv
// 1706.03762; T5, BART). Both are those of the other kinds; they share the table of token embeddings.
#pragma once

#include "model/decoder.h"
#include "model/encoder.h"

namespace quern::model {

// What the config of an encoder-decoder says about its halves. Precondition: the config is resolved.
ModelConfig encoder_part(const ModelConfig& config);
ModelConfig decoder_part(const ModelConfig& config);

// Parameters are named encoder.<as in Encoder> and decoder.<as in Decoder, without embedding>. Calls are for one thread at
// a time.
class EncoderDecoder final : public nn::Module {
 public:
  // The structure without values: initialise or load before the first forward. Errors of config.validate(); conflict for
  // a config of another kind.
  static Result<EncoderDecoder> create(const ModelConfig& config);
  // With weights drawn for (seed, parameter name), in `dtype` (f64 for gradient checks).
  static Result<EncoderDecoder> create(const ModelConfig& config, uint64_t seed, DType dtype = DType::f32);

  const ModelConfig& config() const { return config_; }
  void visit(const nn::Visitor& visitor, const std::string& prefix = {}) override;
  void set_compute_dtype(DType dtype);

  Encoder& encoder() { return encoder_; }
  const Encoder& encoder() const { return encoder_; }
  Decoder& decoder() { return decoder_; }
  const Decoder& decoder() const { return decoder_; }

 private:
  EncoderDecoder(const ModelConfig& config, Encoder encoder, Decoder decoder)
      : config_(config), encoder_(std::move(encoder)), decoder_(std::move(decoder)) {}

  ModelConfig config_;
  Encoder encoder_;
  Decoder decoder_;
};

// What `decoder` reads of rows of tokens (i32 [B, S], of which the first lengths[b] are text), for ForwardContext::source.
// Throws ShapeError as Encoder::hidden does. Recorded by the tape.
std::shared_ptr<const nn::Source> read_source(const Encoder& encoder, const Decoder& decoder,
                                              const Tensor& tokens, const std::vector<int64_t>& lengths);

}  // namespace quern::model
