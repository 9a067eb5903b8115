#include "store/check_weights.h"

#include <fmt/format.h>

#include "base/file.h"
#include "formats/gguf/header.h"
#include "formats/safetensors_header.h"
#include "store/model_files.h"

namespace quern::store {

namespace {

Error not_gguf(const std::string& name, std::string_view begin) {
  std::string shown;
  for (const char c : begin) {
    shown +=
        c >= ' ' && c <= '~' ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return make_error(
      ErrorCode::corrupt, fmt::format("{}: not a GGUF file: it begins with '{}'", name, shown),
      begin.starts_with("<") ? "this looks like a web page; use the address of the file itself" : "");
}

template <class Head>
Result<void> damage_of(const Result<Head>& head, const std::string& name) {
  if (head.ok() || head.error().code != ErrorCode::corrupt) return {};
  Error error = head.error();
  error.hint = "the file is damaged or did not come whole: nothing of it is kept";
  return std::move(error).within(name);
}

}  // namespace

Result<void> check_weights(const std::filesystem::path& file, const std::string& name) {
  if (!is_gguf_name(name) && !is_safetensors_name(name)) return {};
  QUERN_TRY(const MappedFile mapped, MappedFile::open(file));
  if (is_safetensors_name(name)) return damage_of(formats::parse_safetensors(mapped.bytes()), name);
  const std::string_view begin = mapped.text().substr(0, formats::kGgufMagic.size());
  if (begin != formats::kGgufMagic) return not_gguf(name, begin);
  return damage_of(formats::parse_gguf(mapped.bytes()), name);
}

}  // namespace quern::store
