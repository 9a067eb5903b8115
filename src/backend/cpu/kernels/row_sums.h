// Sums along a row, in an order fixed by its length: four vectors of partial sums, whose independence hides
// the latency of an addition.
#pragma once

#include "backend/cpu/kernels/support.h"

namespace quern::backend::cpu::QUERN_ISA {

struct FourSums {
  Vec part[4] = {Vec(0.0f), Vec(0.0f), Vec(0.0f), Vec(0.0f)};
  float total() const { return sum_lanes((part[0] + part[1]) + (part[2] + part[3])); }
};

// Calls body(i, lanes, part) over [0, count) as for_lanes does, with the part of FourSums to add to.
template <class Body>
inline void for_lanes_by_four(int64_t count, const Body& body) {
  int64_t i = 0;
  for (; i + 4 * kWidth <= count; i += 4 * kWidth) {
    for (int part = 0; part < 4; ++part) body(i + part * kWidth, AllLanes{}, part);
  }
  for_lanes(count - i, [&](int64_t j, auto lanes) { body(i + j, lanes, 0); });
}

}  // namespace quern::backend::cpu::QUERN_ISA
