#include "convert/hf_target.h"

#include <fmt/format.h>

#include <system_error>

#include "base/file.h"
#include "formats/hf_folder.h"
#include "infer/language.h"
#include "model/load.h"
#include "model/save.h"

namespace quern::convert {

namespace fs = std::filesystem;

Result<void> save_as_hf(const fs::path& path, const fs::path& folder, std::optional<DType> dtype,
                        bool replace) {
  std::error_code ignored;
  if (fs::exists(folder, ignored) && !(replace && fs::exists(folder / formats::kConfigFile, ignored))) {
    return make_error(ErrorCode::conflict, fmt::format("{} exists", folder.string()),
                      replace ? "it is no model folder: choose another name" : "--force replaces it");
  }
  QUERN_TRY(const fs::path source, [&]() -> Result<fs::path> {
    if (fs::is_regular_file(path, ignored)) return path;
    QUERN_TRY(const formats::ModelFolder found, formats::ModelFolder::open(path));
    return found.path();
  }());
  QUERN_TRY(const model::Decoder model, model::load_model(source));
  QUERN_TRY(const infer::Language language, infer::open_language(source));
  const fs::path partial = folder.parent_path() / fmt::format(".{}.tmp", folder.filename().string());
  fs::remove_all(partial, ignored);
  const auto write = [&]() -> Result<void> {
    QUERN_CHECK(model::save_model(model, partial, dtype.value_or(model.config().dtype)));
    return language.tokenizer.save(partial);
  };
  if (const Result<void> written = write(); !written.ok()) {
    fs::remove_all(partial, ignored);
    return written;
  }
  fs::remove_all(folder, ignored);
  return rename_durably(partial, folder);
}

}  // namespace quern::convert
