#include "infer/loaded_model.h"

#include <fmt/format.h>

#include "formats/hf_folder.h"

namespace quern::infer {

Result<LoadedModel> open_model(const std::filesystem::path& folder, DType compute_dtype) {
  QUERN_TRY(const formats::ModelFolder found, formats::ModelFolder::open(folder));
  QUERN_TRY(model::Decoder model, model::load_model(found.path(), {.compute_dtype = compute_dtype}));
  QUERN_TRY(text::Tokenizer tokenizer, text::Tokenizer::load(found.path()));
  if (tokenizer.vocab_size() > model.config().vocab_size) {
    return make_error(ErrorCode::conflict,
                      fmt::format("{}: the tokenizer has {} tokens, but the model knows {}", folder.string(),
                                  tokenizer.vocab_size(), model.config().vocab_size),
                      "the folder mixes files of two models");
  }
  return LoadedModel{std::move(model), std::move(tokenizer)};
}

}  // namespace quern::infer
