#include "infer/encoder_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "autograd/graph.h"
#include "base/interrupt.h"
#include "infer/language.h"
#include "model/load.h"
#include "ops/linear.h"
#include "text/unicode.h"

namespace quern::infer {

namespace {

// Tokens of a batch, padding included: enough for products at full speed, little enough for the cache.
constexpr int64_t kBatchTokens = 2048;

// So few are done before anybody wonders.
constexpr size_t kUnreported = 64;

using Inputs = std::span<const std::vector<EncoderToken>>;

// The inputs at `chosen`, padded to the longest.
struct Batch {
  Tensor tokens, types;
  std::vector<int64_t> lengths;
  int64_t time = 0;

  Batch(Inputs inputs, std::span<const size_t> chosen, int32_t pad) {
    for (const size_t i : chosen) {
      lengths.push_back(static_cast<int64_t>(inputs[i].size()));
      time = std::max(time, lengths.back());
    }
    const Shape shape{static_cast<int64_t>(chosen.size()), time};
    tokens = Tensor::full(shape, pad, DType::i32);
    types = Tensor::zeros(shape, DType::i32);
    for (size_t row = 0; row < chosen.size(); ++row) {
      const std::vector<EncoderToken>& input = inputs[chosen[row]];
      for (size_t t = 0; t < input.size(); ++t) {
        const size_t at = row * static_cast<size_t>(time) + t;
        tokens.data<int32_t>()[at] = input[t].id;
        types.data<int32_t>()[at] = input[t].segment;
      }
    }
  }
};

// Row `row` of `result`, [rows, ...], and of its tokens the first `length`.
Tensor row_of(const Tensor& result, int64_t row, int64_t length) {
  const Tensor whole = result.sliced(row, row + 1);
  if (result.shape().rank() == 2) return whole.reshaped({result.dim(1)}).clone();
  return whole.reshaped({result.dim(1), result.dim(2)}).sliced(0, length).clone();
}

}  // namespace

Result<LoadedEncoder> open_encoder(const std::filesystem::path& path, DType compute_dtype) {
  QUERN_TRY(model::Encoder model, model::load_encoder(path, {.compute_dtype = compute_dtype, .pack = true}));
  QUERN_TRY(Language language, open_language(path));
  text::Tokenizer& tokenizer = language.tokenizer;
  if (tokenizer.vocab_size() > model.config().vocab_size) {
    return make_error(ErrorCode::conflict,
                      fmt::format("{}: the tokenizer has {} tokens, but the model knows {}", path.string(),
                                  tokenizer.vocab_size(), model.config().vocab_size),
                      "the weights and the tokenizer are of two models");
  }
  return LoadedEncoder{std::move(tokenizer), std::move(model)};
}

EncoderSession::EncoderSession(const LoadedEncoder& loaded, int64_t longest)
    : loaded_(loaded),
      longest_(longest > 0 ? std::min(longest, config().max_positions) : config().max_positions) {}

Result<std::vector<EncoderToken>> EncoderSession::read(std::string_view first,
                                                       const std::optional<std::string_view>& second,
                                                       TooLong too_long) const {
  const EncoderText text(tokenizer(), first, second);
  if (text.size() <= longest_) return text.tokens();
  if (too_long == TooLong::truncate && text.special() <= longest_) return text.truncated(longest_);
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("a text has {} tokens, but the model reads {}: \"{}...\"", text.size(),
                                longest_, text::repair_utf8(first.substr(0, 40)).text),
                    "--truncate reads its beginning; or cut it into several texts");
}

std::vector<std::vector<size_t>> EncoderSession::batches_of(Inputs inputs) {
  std::vector<size_t> order(inputs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::greater{}, [&](size_t i) { return inputs[i].size(); });
  std::vector<std::vector<size_t>> batches;
  for (size_t begin = 0; begin < order.size();) {
    const auto longest = std::max<int64_t>(static_cast<int64_t>(inputs[order[begin]].size()), 1);
    const size_t rows = std::min<size_t>(static_cast<size_t>(std::max<int64_t>(kBatchTokens / longest, 1)),
                                         order.size() - begin);
    const auto from = order.begin() + static_cast<std::ptrdiff_t>(begin);
    batches.emplace_back(from, from + static_cast<std::ptrdiff_t>(rows));
    begin += rows;
  }
  return batches;
}

void EncoderSession::run_batch(Inputs inputs, std::span<const size_t> chosen, bool head,
                               const std::function<void(size_t, const Tensor&)>& receive) const {
  const autograd::NoGrad no_grad;
  const ops::BatchInvariant alone;
  const model::Encoder& model = loaded_.model;
  const auto pad = static_cast<int32_t>(std::max<int64_t>(config().pad_token, 0));
  const Batch batch(inputs, chosen, pad);
  const bool segments = config().token_types > 1;
  Tensor result = model.hidden(batch.tokens, nn::ForwardContext::padded(batch.lengths, batch.time),
                               segments ? batch.types : Tensor());
  result = head ? model.head(result) : result.to(DType::f32);
  for (size_t row = 0; row < chosen.size(); ++row)
    receive(chosen[row], row_of(result, static_cast<int64_t>(row), batch.lengths[row]));
}

void EncoderSession::run(Inputs inputs, bool head, const std::function<void(size_t, const Tensor&)>& receive,
                         Progress& progress) const {
  ProgressScope scope(inputs.size() > kUnreported ? progress : null_progress(), "encoding",
                      static_cast<int64_t>(inputs.size()), "texts");
  int64_t done = 0;
  for (const std::vector<size_t>& batch : batches_of(inputs)) {
    throw_if_interrupted();
    run_batch(inputs, batch, head, receive);
    scope.update(done += static_cast<int64_t>(batch.size()));
  }
}

}  // namespace quern::infer
