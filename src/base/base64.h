// Base64 (RFC 4648) as files of the field embed bytes in text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace quern {

// Nothing when `text` holds another character, or padding other than at the end.
std::optional<std::string> decode_base64(std::string_view text);
std::string encode_base64(std::string_view bytes);

}  // namespace quern
