// What the tests of CPU kernels share: arrays of any dtype, and every table of this CPU against the
// reference.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "backend/api/backend.h"
#include "base/rng.h"
#include "base/threads.h"

namespace quern::backend::test {

// A dense array of a floating dtype, without the guards of Array (kernel_case.h).
class PlainArray {
 public:
  PlainArray() = default;
  PlainArray(DType dtype, int64_t count)
      : dtype_(dtype), bytes_(static_cast<size_t>(count * size_of(dtype))) {}

  // Normal deviates times `scale`; the same for the same seed.
  static PlainArray random(DType dtype, int64_t count, uint64_t seed, double scale = 1.0) {
    PlainArray array(dtype, count);
    Rng rng(seed, 7);
    for (int64_t i = 0; i < count; ++i) array.set(i, rng.normal() * scale);
    return array;
  }

  DType dtype() const { return dtype_; }
  int64_t size() const { return static_cast<int64_t>(bytes_.size()) / size_of(dtype_); }
  void* data() { return bytes_.empty() ? nullptr : bytes_.data(); }
  const void* data() const { return bytes_.empty() ? nullptr : bytes_.data(); }
  double at(int64_t i) const {
    return visit_float(dtype_, [&]<class T>() {
      if constexpr (std::is_same_v<T, double>)
        return reinterpret_cast<const T*>(bytes_.data())[i];
      else
        return static_cast<double>(static_cast<float>(reinterpret_cast<const T*>(bytes_.data())[i]));
    });
  }
  void set(int64_t i, double value) {
    visit_float(dtype_, [&]<class T>() {
      if constexpr (std::is_same_v<T, double>)
        reinterpret_cast<T*>(bytes_.data())[i] = value;
      else
        reinterpret_cast<T*>(bytes_.data())[i] = T(static_cast<float>(value));
    });
  }
  bool operator==(const PlainArray& other) const { return bytes_ == other.bytes_; }

 private:
  DType dtype_ = DType::f32;
  std::vector<char> bytes_;
};

// Half a unit in the last place of `dtype`, relative.
inline double rounding(DType dtype) {
  return dtype == DType::bf16 ? 0x1p-8 : dtype == DType::f16 ? 0x1p-11 : 0x1p-24;
}

// |got - expected| <= relative * max(|expected|..., least) for every element; NaN and infinities must agree.
inline void expect_near(const PlainArray& got, const PlainArray& expected, double relative,
                        const std::string& what, double least = 0.0) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  double largest = least;
  for (int64_t i = 0; i < expected.size(); ++i) {
    if (std::isfinite(expected.at(i))) largest = std::max(largest, std::fabs(expected.at(i)));
  }
  for (int64_t i = 0; i < expected.size(); ++i) {
    const double e = expected.at(i), g = got.at(i);
    if (std::isnan(e)) {
      ASSERT_TRUE(std::isnan(g)) << what << " [" << i << "] is " << g << ", expected NaN";
    } else if (std::isinf(e)) {
      ASSERT_EQ(g, e) << what << " [" << i << "]";
    } else {
      ASSERT_LE(std::fabs(g - e), relative * largest)
          << what << " [" << i << "] is " << g << ", expected " << e;
    }
  }
}

// The tables other than the reference.
inline std::vector<const KernelTable*> tables() {
  const auto all = supported_tables();
  return {all.begin() + 1, all.end()};
}

// A number of threads for as long as this lives.
class ScopedThreads {
 public:
  explicit ScopedThreads(int threads) : previous_(num_threads()) { set_num_threads(threads); }
  ~ScopedThreads() { set_num_threads(previous_); }
  ScopedThreads(const ScopedThreads&) = delete;
  ScopedThreads& operator=(const ScopedThreads&) = delete;

 private:
  int previous_;
};

}  // namespace quern::backend::test
