// Files that were embedded into the program when it was built (cmake/assets.cmake).
#pragma once

#include <string_view>

namespace quern::assets {

struct File {
  std::string_view path;  // as the build names it: "js/chat.js"
  const std::string_view* bytes;
};

}  // namespace quern::assets
