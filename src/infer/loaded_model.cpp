#include "infer/loaded_model.h"

#include <fmt/format.h>

#include <future>

#include "formats/gguf/archive.h"
#include "formats/hf_folder.h"

namespace quern::infer {

Result<LoadedModel> open_model(const std::filesystem::path& path, DType compute_dtype, bool pack) {
  std::filesystem::path source = path;
  if (path.extension() != formats::kGgufExtension) {
    QUERN_TRY(const formats::ModelFolder folder, formats::ModelFolder::open(path));
    source = folder.path();
  }
  // Neither needs the other, and each takes a good part of the time until the first token.
  auto reading = std::async(std::launch::async, [&] { return open_language(source); });
  QUERN_TRY(model::Decoder model, model::load_model(source, {.compute_dtype = compute_dtype, .pack = pack}));
  QUERN_TRY(Language language, reading.get());
  const int64_t known = model.config().vocab_size;
  if (language.tokenizer.vocab_size() > known) {
    return make_error(ErrorCode::conflict,
                      fmt::format("{}: the tokenizer has {} tokens, but the model knows {}", path.string(),
                                  language.tokenizer.vocab_size(), known),
                      "the folder mixes files of two models");
  }
  return LoadedModel{std::move(language), std::move(model)};
}

}  // namespace quern::infer
