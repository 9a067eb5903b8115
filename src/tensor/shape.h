// The extents of a tensor, row-major, at most six of them.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace quern {

class Shape {
 public:
  static constexpr int kMaxRank = 6;

  Shape() = default;  // rank 0: a scalar, one element
  Shape(std::initializer_list<int64_t> extents) : Shape(std::span(extents.begin(), extents.size())) {}
  // Throws ShapeError on negative extents, a rank above kMaxRank or an element count past 2^62.
  explicit Shape(std::span<const int64_t> extents);

  int rank() const { return rank_; }
  // Negative indices count from the end: shape[-1] is the innermost extent.
  int64_t operator[](int i) const { return extents_[static_cast<size_t>(i < 0 ? rank_ + i : i)]; }
  int64_t numel() const { return numel_; }
  // Product of all extents but the last: how many rows a row-wise op sees. A scalar is one row of one.
  int64_t rows() const {
    return rank_ == 0 ? 1 : (extents_[static_cast<size_t>(rank_ - 1)] == 0 ? 0 : numel_ / (*this)[-1]);
  }
  int64_t cols() const { return rank_ == 0 ? 1 : (*this)[-1]; }
  std::span<const int64_t> extents() const { return {extents_.data(), static_cast<size_t>(rank_)}; }
  // The same shape with extent `i` replaced (negative counts from the end).
  Shape with(int i, int64_t extent) const;

  bool operator==(const Shape& other) const;
  std::string to_string() const;  // "[2, 3, 4]"

 private:
  std::array<int64_t, kMaxRank> extents_{};
  int rank_ = 0;
  int64_t numel_ = 1;
};

}  // namespace quern
