// What every vec_*.h shares: how many lanes of a vector a kernel means. A kernel's loop body is written once
// and instantiated for whole vectors and for the tail:
//   for_lanes(count, [&](int64_t i, auto lanes) { (Vec::load(x + i, lanes) * scale).store(y + i, lanes); });
// Included by vec_*.h, after kWidth is known.
#pragma once

#include <cstdint>

namespace quern::backend::cpu::QUERN_ISA {

// A whole vector.
struct AllLanes {
  static constexpr int count = kWidth;
};
// The first `count` lanes, 0 <= count <= kWidth: the others load as zero and are not stored.
struct FirstLanes {
  int count;
};

// Calls body(i, lanes) over [0, count), whole vectors first.
template <class Body>
inline void for_lanes(int64_t count, const Body& body) {
  int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth) body(i, AllLanes{});
  if (i < count) body(i, FirstLanes{static_cast<int>(count - i)});
}

}  // namespace quern::backend::cpu::QUERN_ISA
