// What the kernel tests share: guarded arrays of any float dtype, the tables and dtypes to try, and
// comparison with the reference table.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "backend/api/backend.h"
#include "base/rng.h"
#include "base/threads.h"
#include "tensor/dtype.h"

namespace quern::backend {

// Around every vector width, and one that leaves a tail after many.
inline constexpr int64_t kSizes[] = {1, 7, 15, 16, 17, 33, 1000};
inline constexpr DType kDTypes[] = {DType::f32, DType::bf16, DType::f16};

// `count` elements of `dtype` between guard bytes, which no kernel may touch.
class Array {
 public:
  Array(DType dtype, int64_t count)
      : dtype_(dtype),
        count_(count),
        bytes_(static_cast<size_t>(count * size_of(dtype)) + 2 * kGuard, kCanary) {
    std::fill(bytes_.begin() + kGuard, bytes_.end() - kGuard, static_cast<unsigned char>(0));
  }
  // Values spread evenly around zero with standard deviation `scale`, the same for every run.
  static Array random(DType dtype, int64_t count, uint64_t stream, double scale = 1.0) {
    Array array(dtype, count);
    Rng rng(7, stream);
    for (int64_t i = 0; i < count; ++i)
      array.set(i, scale * std::numbers::sqrt3 * (2.0 * rng.uniform() - 1.0));
    return array;
  }

  DType dtype() const { return dtype_; }
  int64_t count() const { return count_; }
  void* data() { return bytes_.data() + kGuard; }
  const void* data() const { return bytes_.data() + kGuard; }
  template <class T>
  T* as() {
    return reinterpret_cast<T*>(bytes_.data() + kGuard);
  }
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(bytes_.data() + kGuard);
  }
  double operator[](int64_t i) const {
    return visit_float(dtype_, [&]<class T>() {
      if constexpr (std::is_same_v<T, double>)
        return as<T>()[i];
      else
        return static_cast<double>(static_cast<float>(as<T>()[i]));
    });
  }
  void set(int64_t i, double value) {
    visit_float(dtype_, [&]<class T>() {
      if constexpr (std::is_same_v<T, double>)
        as<T>()[i] = value;
      else
        as<T>()[i] = T(static_cast<float>(value));
    });
  }
  bool guards_intact() const {
    for (size_t i = 0; i < kGuard; ++i) {
      if (bytes_[i] != kCanary || bytes_[bytes_.size() - 1 - i] != kCanary) return false;
    }
    return true;
  }
  bool operator==(const Array& other) const { return bytes_ == other.bytes_; }

 private:
  static constexpr size_t kGuard = 64;
  static constexpr unsigned char kCanary = 0xa5;
  DType dtype_;
  int64_t count_;
  std::vector<unsigned char> bytes_;
};

// What separates two correct results: arithmetic in f32 and, where there is one, a rounding to `dtype` that
// falls the other way.
inline double relative_tolerance(DType dtype) {
  switch (dtype) {
    case DType::bf16:
      return 0x1p-7;
    case DType::f16:
      return 0x1p-10;
    default:
      return 1e-6;
  }
}

// `magnitude`: the size of terms that cancel in the result, whose rounding stays in it.
inline void expect_close(const Array& got, const Array& want, double magnitude = 0.0) {
  const double relative = relative_tolerance(want.dtype());
  const double smallest = want.dtype() == DType::f16 ? 0x1p-24 : 0x1p-133;
  EXPECT_TRUE(got.guards_intact()) << "wrote outside its array";
  for (int64_t i = 0; i < want.count(); ++i) {
    const double g = got[i], w = want[i];
    if (std::isnan(w) || std::isinf(w)) {
      ASSERT_TRUE(std::isnan(w) ? std::isnan(g) : g == w)
          << "element " << i << ": " << g << ", expected " << w;
    } else {
      ASSERT_LE(std::abs(g - w), relative * (std::abs(w) + magnitude) + smallest)
          << "element " << i << " of " << want.count() << ": " << g << ", expected " << w;
    }
  }
}

// Calls body(table) for every table but the reference.
template <class Body>
void for_each_table(const Body& body) {
  for (const KernelTable* table : supported_tables().subspan(1)) {
    SCOPED_TRACE(table->name);
    body(*table);
  }
}
// ... and for every activation dtype: body(table, dtype).
template <class Body>
void for_each_dtype(const Body& body) {
  for_each_table([&](const KernelTable& table) {
    for (const DType dtype : kDTypes) {
      SCOPED_TRACE(std::string(name_of(dtype)));
      body(table, dtype);
    }
  });
}
// ... and for every size: body(table, dtype, size).
template <class Body>
void for_each_size(const Body& body) {
  for_each_dtype([&](const KernelTable& table, DType dtype) {
    for (const int64_t size : kSizes) {
      SCOPED_TRACE("size " + std::to_string(size));
      body(table, dtype, size);
    }
  });
}

// run(table, dtype) returns what a kernel wrote: the same bytes for 1, 2 and 3 threads.
template <class Run>
void expect_same_for_any_threads(const Run& run) {
  const int before = num_threads();
  for_each_dtype([&](const KernelTable& table, DType dtype) {
    set_num_threads(1);
    const std::vector<Array> expected = run(table, dtype);
    for (const int threads : {2, 3}) {
      set_num_threads(threads);
      EXPECT_TRUE(run(table, dtype) == expected) << threads << " threads";
    }
  });
  set_num_threads(before);
}

}  // namespace quern::backend
