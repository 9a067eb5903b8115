// What a pass of so many tokens takes, as passes have shown.
#pragma once

#include <cstdint>
#include <map>

namespace quern::engine {

// Running averages by the tokens of a pass, in which old passes count less and less, those of long ago not at all, and none
// as more than twice what was expected: the machine may have been busy with something else. Between them the cost
// is on a line; beyond the largest it rises slowly, so that more is tried where passes are cheap.
class PassCosts {
 public:
  void add(int64_t tokens, double seconds);
  // Whether the smallest passes that were seen, a few of them, had at most so many tokens.
  bool knows(int64_t tokens) const;
  // Precondition: knows(tokens).
  double seconds(int64_t tokens) const;

 private:
  struct Cost {
    double seconds = 0.0;
    int64_t passes = 0, last = 0;  // how many, and which of all was the last
  };
  int64_t passes_ = 0;
  std::map<int64_t, Cost> costs_;
};

}  // namespace quern::engine
