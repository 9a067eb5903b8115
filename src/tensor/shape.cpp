#include "tensor/shape.h"

#include <algorithm>

#include "base/exception.h"

namespace quern {

Shape::Shape(std::span<const int64_t> extents) : rank_(static_cast<int>(extents.size())) {
  if (rank_ > kMaxRank) {
    throw ShapeError("[shape] expected at most " + std::to_string(kMaxRank) + " dimensions, got " +
                     std::to_string(rank_));
  }
  for (int i = 0; i < rank_; ++i) {
    const int64_t extent = extents[static_cast<size_t>(i)];
    if (extent < 0) throw ShapeError("[shape] expected extents >= 0, got " + std::to_string(extent));
    if (__builtin_mul_overflow(numel_, extent, &numel_) || numel_ > (int64_t{1} << 62)) {
      throw ShapeError("[shape] element count does not fit in 62 bits");
    }
    extents_[static_cast<size_t>(i)] = extent;
  }
}

Shape Shape::with(int i, int64_t extent) const {
  std::array<int64_t, kMaxRank> extents = extents_;
  extents[static_cast<size_t>(i < 0 ? rank_ + i : i)] = extent;
  return Shape(std::span<const int64_t>(extents.data(), static_cast<size_t>(rank_)));
}

bool Shape::operator==(const Shape& other) const { return std::ranges::equal(extents(), other.extents()); }

std::string Shape::to_string() const {
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) {
    if (i > 0) text += ", ";
    text += std::to_string((*this)[i]);
  }
  return text + "]";
}

}  // namespace quern
