// Forms as browsers and clients upload them: multipart/form-data (RFC 7578).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quern::server {

struct FormPart {
  std::string name;
  std::string filename = {};      // empty: not a file
  std::string_view content = {};  // within the body
};

// The parts of `body`, at most 64; `content_type` says what stands between them. invalid_argument for anything that is no
// such form, with what was expected.
Result<std::vector<FormPart>> parse_form(std::string_view content_type, std::string_view body);

}  // namespace quern::server
