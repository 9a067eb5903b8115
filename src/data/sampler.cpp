#include "data/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/rng.h"
#include "data/permutation.h"

namespace quern::data {

namespace {

// Random streams of crops: kCropStream + row number.
constexpr uint64_t kCropStream = uint64_t{0xDA7A} << 48;

// A gap of up to 1/16 of a row is padded rather than filled by cutting a document.
constexpr int64_t kRowPerGap = 16;

void reshape(Tensor& tensor, BatchShape shape) {
  const Shape wanted{shape.batch, shape.sequence};
  if (!tensor.defined() || !tensor.unique() || tensor.shape() != wanted) tensor = Tensor(wanted, DType::i32);
}

}  // namespace

// One row of the batch being filled, and how much of it is.
struct BatchSampler::Row {
  std::span<int32_t> tokens, targets, document_start, positions;
  int64_t used = 0;

  int64_t space() const { return static_cast<int64_t>(tokens.size()) - used; }
};

BatchSampler::BatchSampler(TokenDataset dataset, SamplerOptions options)
    : dataset_(std::move(dataset)), options_(options) {}

Result<BatchSampler> BatchSampler::create(TokenDataset dataset, SamplerOptions options) {
  if (options.window < 1)
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("packing window: expected at least 1 document, got {}", options.window));
  bool usable = options.mode == SamplingMode::contiguous && dataset.token_count() >= 2;
  if (options.mode == SamplingMode::packed)
    for (int64_t i = 0; i < dataset.document_count() && !usable; ++i)
      usable = dataset.document_length(i) >= 2;
  if (!usable)
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("the corpus has nothing to predict: {} tokens in {} documents, expected two in a row",
                    dataset.token_count(), dataset.document_count()),
        "give more text, or a larger validation share");
  return BatchSampler(std::move(dataset), options);
}

bool BatchSampler::next(BatchShape shape, Batch& batch) {
  if (shape.batch < 1 || shape.sequence < 1)
    throw ShapeError(fmt::format("[batch] expected at least one row and one token, got [{}, {}]", shape.batch,
                                 shape.sequence));
  for (Tensor* tensor : {&batch.tokens, &batch.targets, &batch.document_start, &batch.positions})
    reshape(*tensor, shape);
  bool any = false;
  for (int64_t b = 0; b < shape.batch; ++b) {
    const auto row_of = [&](const Tensor& tensor) {
      return tensor.span<int32_t>().subspan(static_cast<size_t>(b * shape.sequence),
                                            static_cast<size_t>(shape.sequence));
    };
    Row row{row_of(batch.tokens), row_of(batch.targets), row_of(batch.document_start),
            row_of(batch.positions)};
    if (options_.mode == SamplingMode::packed)
      fill_packed(row);
    else
      fill_contiguous(row);
    any = any || row.used > 0;
    // What is left of the row becomes one piece of padding that nothing learns from.
    const auto begin = row.used;
    for (int64_t i = begin; i < shape.sequence; ++i) {
      const auto at = static_cast<size_t>(i);
      row.tokens[at] = 0;
      row.targets[at] = kIgnoredTarget;
      row.document_start[at] = static_cast<int32_t>(begin);
      row.positions[at] = static_cast<int32_t>(i - begin);
    }
  }
  const auto targets = batch.targets.span<int32_t>();
  batch.target_count =
      std::count_if(targets.begin(), targets.end(), [](int32_t t) { return t != kIgnoredTarget; });
  return any;
}

// Writes the pairs (token, following token) that begin at stream index `begin` as one piece.
void BatchSampler::put(Row& row, int64_t begin, int64_t pairs) {
  scratch_.resize(static_cast<size_t>(pairs) + 1);
  dataset_.read(begin, scratch_);
  const auto at = static_cast<size_t>(row.used), count = static_cast<size_t>(pairs);
  std::copy_n(scratch_.begin(), count, row.tokens.begin() + row.used);
  std::copy_n(scratch_.begin() + 1, count, row.targets.begin() + row.used);
  for (size_t i = 0; i < count; ++i) {
    row.document_start[at + i] = static_cast<int32_t>(at);
    row.positions[at + i] = static_cast<int32_t>(i);
  }
  row.used += pairs;
}

int64_t BatchSampler::pairs_left(const PendingPiece& piece) const {
  return dataset_.document_length(piece.document) - 1 - piece.offset;
}

// Draws documents until the window is full, or the only epoch is over.
void BatchSampler::refill() {
  const int64_t documents = dataset_.document_count();
  while (static_cast<int64_t>(state_.pending.size()) < options_.window) {
    if (state_.next == documents) {
      if (!options_.repeat) return;
      ++state_.epoch;
      state_.next = 0;
    }
    const auto rank = static_cast<uint64_t>(state_.next++);
    const uint64_t document =
        options_.shuffle ? Permutation(static_cast<uint64_t>(documents), options_.seed, state_.epoch)(rank)
                         : rank;
    const PendingPiece piece{static_cast<int64_t>(document), 0};
    if (pairs_left(piece) > 0) state_.pending.push_back(piece);
  }
}

// A row begins with the piece that has waited longest, so that nothing waits for ever. Then comes the longest
// that fits whole (best fit). When none does, a small gap stays empty, and a larger one takes the front of
// the oldest.
std::optional<size_t> BatchSampler::choose(const Row& row) const {
  if (row.used == 0) return 0;
  std::optional<size_t> best;
  int64_t best_pairs = 0;
  for (size_t i = 0; i < state_.pending.size(); ++i) {
    const int64_t pairs = pairs_left(state_.pending[i]);
    if (pairs <= row.space() && pairs > best_pairs) best = i, best_pairs = pairs;
  }
  if (!best && row.space() > static_cast<int64_t>(row.tokens.size()) / kRowPerGap) best = 0;
  return best;
}

void BatchSampler::fill_packed(Row& row) {
  while (row.space() > 0) {
    refill();
    if (state_.pending.empty()) return;
    const auto index = choose(row);
    if (!index) return;
    PendingPiece& piece = state_.pending[*index];
    const int64_t pairs = std::min(pairs_left(piece), row.space());
    put(row, dataset_.document_begin(piece.document) + piece.offset, pairs);
    if (options_.assistant_only) keep_assistant_targets(row, piece, pairs);
    piece.offset += pairs;
    if (pairs_left(piece) == 0)
      state_.pending.erase(state_.pending.begin() + static_cast<std::ptrdiff_t>(*index));
  }
}

// Ignores the targets of the last `pairs` of the row that the assistant does not say.
void BatchSampler::keep_assistant_targets(Row& row, const PendingPiece& piece, int64_t pairs) {
  const ChatTokens& chat = *options_.assistant_only;
  scratch_.resize(static_cast<size_t>(dataset_.document_length(piece.document)));
  dataset_.read(dataset_.document_begin(piece.document), scratch_);
  const auto is_marker = [&](int32_t t) { return t == chat.user || t == chat.assistant || t == chat.end; };
  if (std::none_of(scratch_.begin(), scratch_.end(), is_marker)) return;
  bool speaking = false;
  for (int64_t i = 0; i < piece.offset + pairs; ++i) {
    const int32_t token = scratch_[static_cast<size_t>(i)];
    if (is_marker(token)) speaking = token == chat.assistant;
    if (i >= piece.offset && !speaking)
      row.targets[static_cast<size_t>(row.used - pairs + i - piece.offset)] = kIgnoredTarget;
  }
}

void BatchSampler::fill_contiguous(Row& row) {
  const int64_t pairs = dataset_.token_count() - 1;
  if (options_.repeat) {
    const int64_t length = std::min(pairs, row.space());
    Rng rng(options_.seed, kCropStream + static_cast<uint64_t>(state_.next++));
    put(row, static_cast<int64_t>(rng.below(static_cast<uint64_t>(pairs - length + 1))), length);
  } else if (const int64_t length = std::min(pairs - state_.next, row.space()); length > 0) {
    put(row, state_.next, length);
    state_.next += length;
  }
}

Result<void> BatchSampler::restore(SamplerState state) {
  const bool packed = options_.mode == SamplingMode::packed;
  const int64_t documents = dataset_.document_count();
  bool fits = state.next >= 0 && static_cast<int64_t>(state.pending.size()) <= (packed ? options_.window : 0);
  if (packed)
    fits = fits && state.next <= documents;
  else if (!options_.repeat)
    fits = fits && state.next < dataset_.token_count();
  for (const PendingPiece& piece : state.pending)
    fits = fits && piece.document >= 0 && piece.document < documents && piece.offset >= 0 &&
           pairs_left(piece) > 0;
  if (!fits)
    return make_error(
        ErrorCode::conflict,
        fmt::format("the saved data position does not belong to this corpus of {} documents and {} tokens",
                    documents, dataset_.token_count()),
        "resume with the corpus, tokenizer and data options the run was started with");
  state_ = std::move(state);
  return {};
}

}  // namespace quern::data
