#include "model/tensor_layout.h"

#include <cstring>
#include <numeric>

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

// The order of the first `rotary` rows of each head turned from halves into neighbours, or back; of vectors,
// elements.
Tensor reordered(const Tensor& value, int64_t head_dim, int64_t rotary, bool to_halves) {
  Tensor result(value.shape(), value.dtype());
  const int64_t rows = value.dim(0), row_bytes = value.bytes() / rows;
  const auto* in = static_cast<const std::byte*>(value.raw());
  auto* out = static_cast<std::byte*>(result.raw());
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t i = row % head_dim;  // in halves: (i, i + rotary/2); of neighbours: (2i, 2i + 1)
    const int64_t paired = i >= rotary ? i : 2 * (i % (rotary / 2)) + i / (rotary / 2);
    const int64_t other = row - i + paired;
    std::memcpy(out + (to_halves ? row : other) * row_bytes, in + (to_halves ? other : row) * row_bytes,
                static_cast<size_t>(row_bytes));
  }
  return result;
}

// Rows that lie part after part, given their numbers, in turns of 1/groups of each part, or back.
Tensor regrouped(const Tensor& whole, const std::vector<int64_t>& rows, int64_t groups, bool in_turns) {
  Tensor result(whole.shape(), whole.dtype());
  const int64_t row_bytes = whole.bytes() / whole.dim(0);
  const auto* in = static_cast<const std::byte*>(whole.raw());
  auto* out = static_cast<std::byte*>(result.raw());
  int64_t turn = 0;  // the row in turns
  for (int64_t group = 0; group < groups; ++group) {
    int64_t begin = 0;  // of a part
    for (const int64_t count : rows) {
      const int64_t each = count / groups, part = begin + group * each;
      std::memcpy(out + (in_turns ? turn : part) * row_bytes, in + (in_turns ? part : turn) * row_bytes,
                  static_cast<size_t>(each * row_bytes));
      turn += each;
      begin += count;
    }
  }
  return result;
}

// A table of positions with `rows` of zeros put before it, or so many taken from its beginning.
Tensor with_rows_before(const Tensor& table, int64_t rows) {
  if (rows < 0) return table.sliced(-rows, table.dim(0));
  Tensor result = Tensor::zeros({table.dim(0) + rows, table.dim(1)}, table.dtype());
  result.sliced(rows, result.dim(0)).copy_from(table);
  return result;
}

// A stack seen as one of single parameters.
Tensor one_by_one(const Tensor& stack, const std::vector<Shape>& parameters) {
  const Shape& one = parameters.front();
  const auto count = static_cast<int64_t>(parameters.size());
  return stack.reshaped(one.rank() == 1 ? Shape{count, one[0]} : Shape{count, one[0], one[1]});
}

}  // namespace

Shape file_shape(const TensorName& name, const std::vector<Shape>& parameters) {
  if (name.stacked) {
    const Shape& one = parameters.front();
    const int64_t count = static_cast<int64_t>(parameters.size()) / name.groups, rows = one[0] * name.groups;
    return one.rank() == 1 ? Shape{count, rows} : Shape{count, rows, one[1]};
  }
  int64_t out = 0;
  for (const Shape& shape : parameters) out += shape[0];
  const Shape shape = parameters.front().with(0, out);
  return name.transposed ? Shape{shape[1], shape[0]} : shape;
}

std::vector<Tensor> split(const TensorName& name, const Tensor& tensor, const std::vector<Shape>& shapes) {
  if (name.stacked) {
    std::vector<Tensor> parts;
    parts.reserve(shapes.size());
    const Tensor stack = one_by_one(tensor, shapes);
    for (int64_t i = 0; i < stack.dim(0); ++i)
      parts.push_back(stack.sliced(i, i + 1).reshaped(shapes[static_cast<size_t>(i)]));
    return parts;
  }
  Tensor whole = name.transposed ? transposed(tensor) : tensor;
  if (shapes.size() == 1) return {whole};
  if (name.groups > 1) {
    std::vector<int64_t> rows;
    rows.reserve(shapes.size());
    for (const Shape& shape : shapes) rows.push_back(shape[0]);
    whole = regrouped(whole, rows, name.groups, false);
  }
  std::vector<Tensor> parts;
  parts.reserve(shapes.size());
  int64_t row = 0;
  for (const Shape& shape : shapes) {
    parts.push_back(whole.sliced(row, row + shape[0]));
    row += shape[0];
  }
  return parts;
}

Tensor join(const TensorName& name, const std::vector<Tensor>& parameters) {
  if (name.stacked) {
    std::vector<Shape> shapes;
    shapes.reserve(parameters.size());
    for (const Tensor& part : parameters) shapes.push_back(part.shape());
    Tensor whole(file_shape(name, shapes), parameters.front().dtype());
    const Tensor stack = one_by_one(whole, shapes);
    for (int64_t i = 0; i < stack.dim(0); ++i)
      stack.sliced(i, i + 1).reshaped(shapes.front()).copy_from(parameters[static_cast<size_t>(i)]);
    return whole;
  }
  Tensor whole = parameters.front();
  if (parameters.size() > 1) {
    std::vector<int64_t> rows;
    rows.reserve(parameters.size());
    for (const Tensor& part : parameters) rows.push_back(part.dim(0));
    const int64_t total = std::accumulate(rows.begin(), rows.end(), int64_t{0});
    whole = Tensor(parameters.front().shape().with(0, total), parameters.front().dtype());
    int64_t row = 0;
    for (const Tensor& part : parameters) {
      whole.sliced(row, row + part.dim(0)).copy_from(part);
      row += part.dim(0);
    }
    if (name.groups > 1) whole = regrouped(whole, rows, name.groups, true);
  }
  return name.transposed ? transposed(whole) : whole;
}

Tensor relaid(const Tensor& value, std::string_view name, const ModelConfig& from, const ModelConfig& to) {
  const bool rotates = name.find(".attention.q") != name.npos || name.find(".attention.k") != name.npos;
  Tensor result = value;
  if (rotates && from.rope.half_split != to.rope.half_split) {
    result = reordered(result, from.head_dim, from.rope.rotary, to.rope.half_split);
  }
  if (name.ends_with("norm.weight") && from.norm_offset != to.norm_offset) {
    result = result.clone();
    for (float& weight : result.span<float>())
      weight += static_cast<float>(from.norm_offset - to.norm_offset);
  }
  if (name.ends_with("position.weight") && from.position_offset != to.position_offset)
    result = with_rows_before(result, to.position_offset - from.position_offset);
  return result;
}

}  // namespace quern::model
