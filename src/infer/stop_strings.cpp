#include "infer/stop_strings.h"

#include <algorithm>
#include <utility>

#include "infer/open_suffix.h"

namespace quern::infer {

std::string StopStrings::push(std::string_view piece) {
  if (stopped_) return {};
  held_ += piece;
  size_t first = std::string::npos, open = 0;
  for (const std::string& stop : stops_) {
    if (stop.empty()) continue;
    first = std::min(first, held_.find(stop));
    open = std::max(open, open_suffix(held_, stop));
  }
  if (first != std::string::npos) {
    stopped_ = true;
    held_.resize(first);
    return std::exchange(held_, {});
  }
  std::string safe = held_.substr(0, held_.size() - open);
  held_.erase(0, safe.size());
  return safe;
}

std::string StopStrings::finish() { return std::exchange(held_, {}); }

}  // namespace quern::infer
