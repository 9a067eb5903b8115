#include "convert/target.h"

#include <fmt/format.h>

#include <system_error>

#include "convert/gguf_source.h"
#include "convert/hf_target.h"

namespace quern::convert {

Result<void> expect_free(const std::filesystem::path& path, bool replace) {
  std::error_code ignored;
  if (replace || !std::filesystem::exists(path, ignored)) return {};
  return make_error(ErrorCode::conflict, fmt::format("{} exists", path.string()), "--force replaces it");
}

Result<void> save(const std::filesystem::path& source, const Target& target, Progress& progress) {
  if (target.format == Format::hf)
    return save_as_hf(source, target.path, target.dtype, target.replace, progress, target.adapter);
  QUERN_CHECK(expect_free(target.path, target.replace));
  QUERN_TRY(const formats::GgufContents contents, open_as_gguf(source, target.dtype, target.adapter));
  return formats::write_gguf(target.path, contents, progress);
}

}  // namespace quern::convert
