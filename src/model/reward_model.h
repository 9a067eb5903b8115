// RewardModel: a decoder whose language head gave way to a score, which says how good a text is. In files it is
// transformers' sequence classification with one label: the decoder's tensors, and score.weight.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "model/decoder.h"

namespace quern::model {

// The score's name among parameters and in files.
inline constexpr std::string_view kScoreName = "score.weight";

// Parameters are named as the decoder's, and score.weight [1, C]. Calls are for one thread at a time.
class RewardModel final : public nn::Module {
 public:
  // The structure without values. unsupported for another number of labels than one; errors of Decoder::create.
  // Precondition: config.scores().
  static Result<RewardModel> create(const ModelConfig& config);
  // A score of 0 over the states of a decoder, whose language head, where there is one, is left alone: values of a model
  // that writes, too.
  explicit RewardModel(std::shared_ptr<Decoder> decoder);

  const Decoder& decoder() const { return *decoder_; }
  Decoder& decoder() { return *decoder_; }
  const ModelConfig& config() const { return decoder_->config(); }
  const nn::Parameter& score() const { return score_; }
  nn::Parameter& score() { return score_; }
  void set_compute_dtype(DType dtype) { decoder_->set_compute_dtype(dtype); }
  void visit(const nn::Visitor& visitor, const std::string& prefix = {}) override;

  // wide [N]: the value of each of N rows of states [..., C]; recorded by the tape.
  Tensor values(const Tensor& states) const;
  // The token of a text at which its reward is read: the last one that is not padding, as in transformers, so that an end
  // token that also pads is not read; 0 where there is no other.
  int64_t place_of_reward(std::span<const int32_t> tokens) const;

 private:
  std::shared_ptr<Decoder> decoder_;
  nn::Parameter score_;
  int32_t pad_;
};

}  // namespace quern::model
