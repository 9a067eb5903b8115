// Guesses of a smaller model.
#pragma once

#include <memory>
#include <unordered_map>

#include "engine/model_runner.h"
#include "engine/proposer.h"

namespace quern::engine {

// The small model chooses as the sequence itself does: by a copy of its chooser, with the same rules, constraint and random
// numbers, so that two models that think alike say the same at any temperature. It keeps the keys of each sequence in a
// cache of its own, and reads what it has not seen, a few hundred tokens at a time, when it is asked.
class DraftProposer final : public Proposer {
 public:
  // conflict where the two models do not have the same tokens; unsupported as check_model.
  static Result<std::unique_ptr<Proposer>> create(std::shared_ptr<const infer::LoadedModel> draft,
                                                  const infer::LoadedModel& target, int64_t blocks);

  void look(Guess& guess) override;
  void propose(std::span<Guess*> guesses) override;
  void forget(SequenceId id) override;

 private:
  struct Text {
    std::vector<int32_t> tokens;  // whose keys are in the blocks
    std::vector<int32_t> blocks;
  };
  struct Run;

  DraftProposer(std::shared_ptr<const infer::LoadedModel> draft, int64_t vocab, int64_t blocks);
  bool make_room(Text& text, int64_t tokens);
  std::vector<Run> begin(std::span<Guess*> guesses);
  void advance(std::vector<Run>& runs);

  std::shared_ptr<const infer::LoadedModel> draft_;
  int64_t vocab_;  // of the model that it guesses for
  ModelRunner runner_;
  std::vector<int32_t> empty_;  // blocks
  std::unordered_map<SequenceId, Text> texts_;
};

}  // namespace quern::engine
