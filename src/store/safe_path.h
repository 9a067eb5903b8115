// Names that come from outside, before they become paths inside a folder.
#pragma once

#include <string_view>

namespace quern::store {

// True for a relative path of ordinary segments joined by '/': none empty, none "." or "..", nothing that begins
// with '/', no backslash, no control character, nothing longer than file systems take.
bool is_safe_path(std::string_view path);

}  // namespace quern::store
