#include "model/tensor_layout.h"

#include <cstring>

#include "base/threads.h"

namespace quern::model {

namespace {

template <class Element>
void transpose(const Tensor& from, const Tensor& to) {
  const int64_t rows = from.dim(0), cols = from.dim(1);
  const auto* in = static_cast<const Element*>(from.raw());
  auto* out = static_cast<Element*>(to.raw());
  constexpr int64_t kTile = 32;  // a tile of both sides stays in the cache
  parallel_for(cols, kTile, [=](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < rows; r += kTile) {
      for (int64_t c = begin; c < end; ++c) {
        for (int64_t i = r; i < std::min(r + kTile, rows); ++i) out[c * rows + i] = in[i * cols + c];
      }
    }
  });
}

Tensor transposed(const Tensor& matrix) {
  Tensor result({matrix.dim(1), matrix.dim(0)}, matrix.dtype());
  visit_float(matrix.dtype(), [&]<class T>() { transpose<T>(matrix, result); });
  return result;
}

}  // namespace

Shape file_shape(const TensorName& name, const std::vector<Shape>& parameters) {
  int64_t out = 0;
  for (const Shape& shape : parameters) out += shape[0];
  const Shape shape = parameters.front().with(0, out);
  return name.transposed ? Shape{shape[1], shape[0]} : shape;
}

std::vector<Tensor> split(const TensorName& name, const Tensor& tensor, const std::vector<Shape>& shapes) {
  const Tensor whole = name.transposed ? transposed(tensor) : tensor;
  if (shapes.size() == 1) return {whole};
  std::vector<Tensor> parts;
  int64_t row = 0;
  for (const Shape& shape : shapes) {
    parts.push_back(whole.sliced(row, row + shape[0]));
    row += shape[0];
  }
  return parts;
}

Tensor join(const TensorName& name, const std::vector<Tensor>& parameters) {
  Tensor whole = parameters.front();
  if (parameters.size() > 1) {
    int64_t rows = 0;
    for (const Tensor& part : parameters) rows += part.dim(0);
    whole = Tensor(parameters.front().shape().with(0, rows), parameters.front().dtype());
    int64_t row = 0;
    for (const Tensor& part : parameters) {
      whole.sliced(row, row + part.dim(0)).copy_from(part);
      row += part.dim(0);
    }
  }
  return name.transposed ? transposed(whole) : whole;
}

}  // namespace quern::model
