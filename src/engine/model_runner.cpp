#include "engine/model_runner.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "autograd/graph.h"
#include "ops/linear.h"

namespace quern::engine {

Result<void> check_model(const model::Decoder& model) {
  const model::ModelConfig& config = model.config();
  if (config.cross_attention || config.positions == model::Positions::relative) {
    return make_error(ErrorCode::unsupported,
                      "the engine runs decoders, and this model has an encoder beside it",
                      "`quern generate` runs it");
  }
  return {};
}

ModelRunner::ModelRunner(const model::Decoder& model, int64_t blocks)
    : model_(model),
      cache_({.layers = model.config().layers,
              .blocks = blocks,
              .kv_heads = model.config().kv_heads,
              .head_dim = model.config().head_dim,
              .dtype = model.cache_dtype()}) {}

Tensor ModelRunner::run(std::span<const Row> rows) {
  const autograd::NoGrad no_grad;
  const ops::BatchInvariant invariant;
  // Rows of one rotary length are one pass; but for models that turn by length, that is all of them.
  std::map<int64_t, std::vector<size_t>> passes;
  int64_t wanted = 0;
  std::vector<int64_t> offsets;
  for (size_t i = 0; i < rows.size(); ++i) {
    passes[rope_length(static_cast<int64_t>(rows[i].tokens.size()))].push_back(i);
    offsets.push_back(wanted);
    wanted += rows[i].wanted;
  }
  if (passes.size() == 1) return run_alike(rows, passes.begin()->first);
  const int64_t vocab = model_.config().vocab_size;
  Tensor logits({wanted, vocab}, DType::f32);
  for (const auto& [length, members] : passes) {
    std::vector<Row> alike;
    for (const size_t i : members) alike.push_back(rows[i]);
    const Tensor part = run_alike(alike, length);
    int64_t taken = 0;
    for (const size_t i : members) {
      const int64_t count = rows[i].wanted;
      if (count > 0)
        logits.sliced(offsets[i], offsets[i] + count).copy_from(part.sliced(taken, taken + count));
      taken += count;
    }
  }
  return logits;
}

Tensor ModelRunner::run_alike(std::span<const Row> rows, int64_t text_length) {
  std::vector<nn::KvPiece> pieces;
  std::vector<int32_t> tokens;
  std::vector<nn::AdapterRows> adapters, adapters_of_wanted;
  std::vector<int64_t> wanted;  // rows of the states
  for (const Row& row : rows) {
    pieces.push_back({.blocks = row.blocks, .begin = row.begin, .count = row.count});
    const auto computed = row.tokens.subspan(static_cast<size_t>(row.begin), static_cast<size_t>(row.count));
    const auto begin = static_cast<int64_t>(tokens.size());
    tokens.insert(tokens.end(), computed.begin(), computed.end());
    if (row.adapter != nullptr) {
      const bool goes_on =
          !adapters.empty() && adapters.back().adapter == row.adapter && adapters.back().end == begin;
      if (!goes_on) adapters.push_back({row.adapter, begin, begin});
      adapters.back().end = begin + row.count;
    }
    if (row.adapter != nullptr) {
      const auto first = static_cast<int64_t>(wanted.size());
      adapters_of_wanted.push_back({row.adapter, first, first + row.wanted});
    }
    for (int64_t i = row.wanted; i > 0; --i) wanted.push_back(static_cast<int64_t>(tokens.size()) - i);
  }
  nn::ForwardContext context = cache_.pass(pieces);
  context.text_length = text_length;
  context.adapters = adapters;
  const auto time = static_cast<int64_t>(tokens.size());
  const Tensor states = model_.hidden(Tensor::from(tokens, {1, time}), context);
  const int64_t channels = states.dim(2), count = static_cast<int64_t>(wanted.size());
  if (count == 0) return Tensor({0, model_.config().vocab_size}, DType::f32);
  const Tensor chosen({count, channels}, states.dtype());
  const auto bytes = static_cast<size_t>(bytes_of(states.dtype(), channels));
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(
        static_cast<char*>(chosen.raw()) + static_cast<size_t>(i) * bytes,
        static_cast<const char*>(states.raw()) + static_cast<size_t>(wanted[static_cast<size_t>(i)]) * bytes,
        bytes);
  }
  return model_.logits(chosen, adapters_of_wanted).to(DType::f32);
}

}  // namespace quern::engine
