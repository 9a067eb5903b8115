#include "convert/grow.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "convert/hf_target.h"
#include "infer/language.h"
#include "model/load.h"
#include "ops/cast.h"

namespace quern::convert {

namespace {

namespace fs = std::filesystem;

// [rows, C] in f32, or [rows] of a vector: `table` whose rows from `known` to below `end` are the mean of those before.
Tensor with_mean_rows(const Tensor& table, int64_t known, int64_t end) {
  const Tensor old = ops::cast(table, DType::f32);
  const int64_t width = old.numel() / old.dim(0), rows = std::max(end, old.dim(0));
  Tensor whole(old.shape().with(0, rows), DType::f32);
  std::copy_n(old.data<float>(), old.numel(), whole.data<float>());
  std::vector<double> sum(static_cast<size_t>(width));
  for (int64_t r = 0; r < known; ++r)
    for (int64_t c = 0; c < width; ++c) sum[static_cast<size_t>(c)] += old.data<float>()[r * width + c];
  for (int64_t r = known; r < end; ++r)
    for (int64_t c = 0; c < width; ++c)
      whole.data<float>()[r * width + c] =
          static_cast<float>(sum[static_cast<size_t>(c)] / static_cast<double>(known));
  return whole;
}

}  // namespace

Result<model::Decoder> grown(const model::Decoder& model, int64_t known, int64_t vocab) {
  model::ModelConfig config = model.config();
  config.vocab_size = std::max(config.vocab_size, vocab);
  QUERN_TRY(model::Decoder larger, model::Decoder::create(config));
  std::map<std::string, Tensor> masters;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& parameter) {
    masters[name] = parameter.master().detached();
  });
  larger.visit([&](const std::string& name, nn::Parameter& parameter) {
    const Tensor& own = masters.at(name);
    const bool of_tokens = name == "embedding.weight" || name == "head.weight" || name == "head.bias";
    parameter.assign(of_tokens ? with_mean_rows(own, known, vocab) : own);
  });
  return larger;
}

Result<void> save_grown(const fs::path& path, const NewTokens& tokens, const fs::path& folder,
                        std::optional<DType> dtype, bool replace, Progress& progress) {
  QUERN_TRY(const model::ModelConfig config, model::load_config(path));
  if (config.kind != model::Kind::decoder) {
    return make_error(ErrorCode::unsupported, fmt::format("{} is no decoder", path.string()),
                      "new tokens are for models that write");
  }
  QUERN_TRY(const infer::Language language, infer::open_language(path));
  QUERN_TRY(text::Tokenizer tokenizer, language.tokenizer.with_tokens(tokens.texts, false));
  QUERN_TRY(tokenizer, tokenizer.with_tokens(tokens.special, true));
  QUERN_TRY(const model::Decoder model, model::load_model(path));
  const int64_t known = std::min(language.tokenizer.vocab_size(), model.config().vocab_size);
  QUERN_TRY(const model::Decoder larger, grown(model, known, tokenizer.vocab_size()));
  return save_as_hf(larger, tokenizer, folder, dtype.value_or(model.config().dtype), replace, progress);
}

}  // namespace quern::convert
