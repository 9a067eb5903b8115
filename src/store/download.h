// Downloads of one file: resumed where an earlier attempt stopped, and checked before it gets its name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "store/http.h"

namespace quern::store {

// What is known about a file before it comes.
struct Expected {
  std::optional<uint64_t> size;
  std::string sha256;  // "" when unknown
};

struct Downloaded {
  uint64_t size = 0;
  std::string sha256;
};

// The content of `request` as `path`, whose folder exists. What has come stays in PATH.part when the download
// is interrupted, and the next call asks for the rest; where the server's ETag, Last-Modified or size say that
// the file has changed, or it cannot send the rest, it begins anew. `on_bytes` hears how many bytes are there.
// corrupt, with both values and without leaving a part, when size or checksum differ from what was expected.
// Not to be called for one path twice at a time.
Result<Downloaded> download(HttpClient& client, const Request& request, const Expected& expected,
                            const std::filesystem::path& path,
                            const std::function<void(uint64_t)>& on_bytes = {});

}  // namespace quern::store
