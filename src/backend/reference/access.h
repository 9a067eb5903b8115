// Element access of the reference kernels: every element is read as a double and rounded once on store.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace quern::backend::reference {

template <class T>
double to_double(T value) {
  if constexpr (std::is_same_v<T, double>)
    return value;
  else
    return static_cast<double>(static_cast<float>(value));
}

template <class T>
T from_double(double value) {
  if constexpr (std::is_same_v<T, double>)
    return value;
  else
    return T(static_cast<float>(value));
}

// Element i of an array of T, or `absent` when there is no array.
template <class T>
double at(const void* array, int64_t i, double absent) {
  return array == nullptr ? absent : to_double(static_cast<const T*>(array)[i]);
}

// Element i of an array whose dtype is known at run time only.
inline double load(const void* array, DType dtype, int64_t i) {
  return visit_float(dtype, [&]<class T>() { return to_double(static_cast<const T*>(array)[i]); });
}
inline void store(void* array, DType dtype, int64_t i, double value) {
  visit_float(dtype, [&]<class T>() { static_cast<T*>(array)[i] = from_double<T>(value); });
}

// Calls f<T, Wide>() with the C++ type of `dtype` and its wide type; always succeeds.
template <class F>
bool visit_pair(DType dtype, F&& f) {
  visit_float(dtype, [&]<class T>() {
    if constexpr (std::is_same_v<T, double>)
      f.template operator()<T, double>();
    else
      f.template operator()<T, float>();
  });
  return true;
}

}  // namespace quern::backend::reference
