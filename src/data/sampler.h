// BatchSampler: which tokens each step sees. The order is a pure function of the seed and of the shapes asked
// for so far, and the whole position is a handful of integers, so that a resumed run sees exactly the batches
// of an uninterrupted one, with any number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/result.h"
#include "data/batch.h"
#include "data/token_dataset.h"

namespace quern::data {

enum class SamplingMode {
  // Rows are filled with pieces of documents. No attention and no target crosses a document. A document of n
  // tokens gives n - 1 (token, target) pairs; each pair appears exactly once per epoch. A document is cut
  // only
  // where the row ends, nothing shorter fits and more than 1/16 of the row would stay empty; its rest comes
  // later as a piece of its own.
  packed,
  // Rows are crops of the corpus seen as one stream, at random offsets with replacement (nanoGPT's loader).
  // One document
  // per row; targets do cross the documents of the corpus.
  contiguous,
};

// Ids of the chat markers. In a document that holds any of them, only what the assistant says, its `end`
// included, is a target; documents without markers count in full.
struct ChatTokens {
  int32_t user = -1;
  int32_t assistant = -1;
  int32_t end = -1;
};

struct SamplerOptions {
  SamplingMode mode = SamplingMode::packed;
  uint64_t seed = 0;
  // packed: a new order of the documents each epoch; false keeps that of the corpus.
  bool shuffle = true;
  // false: stop after one epoch, padding the last rows with ignored targets; contiguous rows are then
  // consecutive windows instead of random crops. For evaluation.
  bool repeat = true;
  // packed: how many documents wait for a row they fit into. 1 packs strictly in order; more cuts fewer
  // documents.
  int64_t window = 64;
  std::optional<ChatTokens> assistant_only = std::nullopt;
};

// The rest of a document that waits for a row.
struct PendingPiece {
  int64_t document = 0;
  int64_t offset = 0;  // tokens of the document already given out
};

// Everything a checkpoint needs to store to go on from the same place.
struct SamplerState {
  uint64_t epoch = 0;
  // packed: documents drawn in this epoch. contiguous: crops drawn, or with repeat = false tokens passed.
  int64_t next = 0;
  std::vector<PendingPiece> pending = {};
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PendingPiece, document, offset)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SamplerState, epoch, next, pending)

// Not thread-safe.
class BatchSampler {
 public:
  // invalid_argument when the dataset has no pair of consecutive tokens to learn from.
  static Result<BatchSampler> create(TokenDataset dataset, SamplerOptions options);

  // Fills `batch` with the next rows; shapes may differ from call to call. Reuses the tensors of `batch` when
  // nobody else holds them. False when the epoch is over (only with repeat = false). Throws ShapeError unless
  // B, T >= 1.
  bool next(BatchShape shape, Batch& batch);

  const SamplerState& state() const { return state_; }
  // conflict when the state cannot belong to this dataset and these options.
  Result<void> restore(SamplerState state);

 private:
  struct Row;
  BatchSampler(TokenDataset dataset, SamplerOptions options);
  void fill_packed(Row& row);
  void fill_contiguous(Row& row);
  void refill();
  std::optional<size_t> choose(const Row& row) const;
  int64_t pairs_left(const PendingPiece& piece) const;
  void put(Row& row, int64_t begin, int64_t pairs);
  void keep_assistant_targets(Row& row, const PendingPiece& piece, int64_t pairs);

  TokenDataset dataset_;
  SamplerOptions options_;
  SamplerState state_;
  std::vector<int32_t> scratch_;
};

}  // namespace quern::data
