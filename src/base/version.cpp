#include "base/version.h"

#include "quern_version.h"  // written by cmake/version.cmake at every build

namespace quern {

std::string_view version() { return QUERN_VERSION; }
std::string_view commit() { return QUERN_COMMIT; }

std::string_view compiler() {
#ifdef __clang__
  return "clang " __clang_version__;
#else
  return "gcc " __VERSION__;
#endif
}

}  // namespace quern
