#include "cli/open_tokenizer.h"

#include "formats/gguf/archive.h"
#include "infer/language.h"
#include "store/store.h"

namespace quern::cli {

Result<text::Tokenizer> open_tokenizer(const std::string& source) {
  QUERN_TRY(const std::filesystem::path path, store::Store().resolve(source));
  if (!formats::is_gguf(path)) return text::Tokenizer::load(path);
  QUERN_TRY(infer::Language language, infer::open_language(path));
  return std::move(language.tokenizer);
}

}  // namespace quern::cli
