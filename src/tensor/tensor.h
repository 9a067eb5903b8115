// Tensor: shape, dtype and a contiguous run of elements in a shared Storage. Holds no mathematics (see ops/).
#pragma once

#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/block_scales.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"
#include "tensor/storage.h"

namespace quern {

// What autograd hangs on a tensor (autograd/graph.h); opaque here so that this folder knows no graph.
class GradMeta {
 public:
  virtual ~GradMeta() = default;
};

// A handle: copying shares the elements. Always contiguous and row-major. Safe to read from many threads; writers must
// be alone.
//
// Of a block-quantised dtype, rows are runs of blocks: the last extent must be a multiple of the block, also after
// reshaped() and sliced(), or ShapeError is thrown. The elements cannot be accessed, filled or converted here, only as
// bytes: ops::cast decodes them, quant/ encodes them. Where the dtype has its scales beside its blocks, of_blocks() alone
// makes tensors, and copy_from() is refused, since bytes without their scales would stand for other numbers.
class Tensor {
 public:
  Tensor() = default;  // empty: defined() is false
  // Contents undefined.
  Tensor(Shape shape, DType dtype);
  // Over existing bytes; throws ShapeError when [offset, offset + bytes) leaves the storage.
  Tensor(std::shared_ptr<Storage> storage, int64_t byte_offset, Shape shape, DType dtype);

  // `bytes` as blocks of a dtype that has its scales beside: shares the elements, keeps `scales`. Throws ShapeError unless
  // the bytes are as many as `shape` takes.
  static Tensor of_blocks(const Tensor& bytes, Shape shape, DType dtype,
                          std::shared_ptr<const BlockScales> scales);

  static Tensor zeros(Shape shape, DType dtype = DType::f32);
  static Tensor full(Shape shape, double value, DType dtype = DType::f32);
  // Copies `values`; throws ShapeError unless values.size() == shape.numel().
  template <class T>
  static Tensor from(std::span<const T> values, Shape shape);
  template <class T>
  static Tensor from(const std::vector<T>& values, Shape shape) {
    return from(std::span<const T>(values), shape);
  }

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int64_t dim(int i) const { return shape_[i]; }
  int64_t numel() const { return shape_.numel(); }
  DType dtype() const { return dtype_; }
  int64_t bytes() const { return bytes_of(dtype_, numel()); }
  // From the first block on, where they lie beside; else nothing.
  BlockScales scales() const;

  void* raw() const { return storage_ ? storage_->data() + offset_ : nullptr; }
  // Typed access; throws InternalError on another dtype.
  template <class T>
  T* data() const {
    require(dtype_of<T>);
    return static_cast<T*>(raw());
  }
  template <class T>
  std::span<T> span() const {
    return {data<T>(), static_cast<size_t>(numel())};
  }
  // The value of a one-element float tensor as a double.
  double item() const;

  // The same elements under another shape of the same size. Not recorded by autograd: see ops::reshape.
  Tensor reshaped(Shape shape) const;
  // Rows [begin, end) of the outermost dimension, sharing the elements. Not recorded by autograd.
  Tensor sliced(int64_t begin, int64_t end) const;
  // The same elements without autograd's memory.
  Tensor detached() const;
  Tensor clone() const;
  // Every element converted (floats among floats; integers among integers); `*this` itself when nothing changes.
  Tensor to(DType dtype) const;
  // Overwrites the elements with those of `other` (same shape; converts the dtype).
  void copy_from(const Tensor& other) const;
  void fill(double value) const;
  void zero() const { std::memset(raw(), 0, static_cast<size_t>(bytes())); }

  // Whether no other tensor holds these elements.
  bool unique() const { return storage_.use_count() == 1; }
  const std::shared_ptr<GradMeta>& grad_meta() const { return grad_meta_; }
  void set_grad_meta(std::shared_ptr<GradMeta> meta) { grad_meta_ = std::move(meta); }

  // "f32[2, 3]"
  std::string describe() const;

 private:
  void require(DType dtype) const;

  std::shared_ptr<Storage> storage_;
  int64_t offset_ = 0;
  Shape shape_{0};
  DType dtype_ = DType::f32;
  std::shared_ptr<const BlockScales> scales_;
  int64_t first_block_ = 0;  // of scales_
  std::shared_ptr<GradMeta> grad_meta_;
};

template <class T>
Tensor Tensor::from(std::span<const T> values, Shape shape) {
  Tensor tensor = Tensor({static_cast<int64_t>(values.size())}, dtype_of<T>).reshaped(shape);
  if (!values.empty()) std::memcpy(tensor.raw(), values.data(), values.size_bytes());
  return tensor;
}

}  // namespace quern
