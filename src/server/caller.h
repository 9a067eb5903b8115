// Who makes a request, once that is known.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/rate_limiter.h"

namespace quern::server {

struct Caller {
  std::string name = {};
  RateLimits limits = {};
  std::vector<std::string> models = {};  // allowed ones; empty: all
  int64_t priority = 0;                  // higher goes first
  bool admin = false;                    // may load, unload and see what concerns others

  bool may_use(std::string_view model) const {
    return models.empty() || std::find(models.begin(), models.end(), model) != models.end();
  }
};

}  // namespace quern::server
