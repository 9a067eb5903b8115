// Stop strings in streamed text: passes on what can no longer be part of one, holds back the rest.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace quern::infer {

class StopStrings {
 public:
  explicit StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // Takes the next piece of text and returns what is safe to show. After a stop string has appeared,
  // stopped() is true and everything from its first byte on is dropped.
  std::string push(std::string_view piece);
  // The held-back text, when generation ended for another reason.
  std::string finish();
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace quern::infer
