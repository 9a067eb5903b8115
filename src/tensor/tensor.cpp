#include "tensor/tensor.h"

#include <algorithm>

#include "base/exception.h"

namespace quern {

namespace {

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<From, double>) {
    if constexpr (std::is_same_v<To, float>)
      return static_cast<float>(value);
    else
      return To(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, double>) {
    return static_cast<double>(static_cast<float>(value));
  } else {
    return To(static_cast<float>(value));
  }
}

template <class F>
void visit_int(DType dtype, F&& f) {
  switch (dtype) {
    case DType::i32:
      return f.template operator()<int32_t>();
    case DType::i64:
      return f.template operator()<int64_t>();
    case DType::u8:
      return f.template operator()<uint8_t>();
    case DType::i8:
      return f.template operator()<int8_t>();
    case DType::u16:
      return f.template operator()<uint16_t>();
    case DType::boolean:
      return f.template operator()<uint8_t>();
    default:
      throw InternalError("expected an integer dtype, got " + std::string(name_of(dtype)));
  }
}

void require_whole_blocks(const char* what, const Shape& shape, DType dtype) {
  if (const int64_t block = block_elements(dtype); shape.cols() % block != 0) {
    throw ShapeError("[" + std::string(what) + "] expected rows of a multiple of " + std::to_string(block) +
                     " elements of " + std::string(name_of(dtype)) + ", got " + shape.to_string());
  }
}

void require_elements(const char* what, DType dtype) {
  if (is_block(dtype)) {
    throw ShapeError("[" + std::string(what) + "] expected a dtype of single elements, got " +
                     std::string(name_of(dtype)) + ", which only ops::cast decodes");
  }
}

void require_own_scales(const char* what, DType dtype) {
  if (has_scales_beside(dtype)) {
    throw ShapeError("[" + std::string(what) + "] expected a dtype whose blocks hold their scales, got " +
                     std::string(name_of(dtype)));
  }
}

}  // namespace

Tensor::Tensor(Shape shape, DType dtype) : shape_(shape), dtype_(dtype) {
  require_own_scales("tensor", dtype);
  require_whole_blocks("tensor", shape, dtype);
  storage_ = Storage::allocate(bytes());
}

Tensor::Tensor(std::shared_ptr<Storage> storage, int64_t byte_offset, Shape shape, DType dtype)
    : storage_(std::move(storage)), offset_(byte_offset), shape_(shape), dtype_(dtype) {
  require_own_scales("tensor", dtype);
  require_whole_blocks("tensor", shape, dtype);
  if (byte_offset < 0 || byte_offset > storage_->size() || bytes() > storage_->size() - byte_offset) {
    throw ShapeError("[tensor] expected " + describe() + " at byte " + std::to_string(byte_offset) +
                     " to lie inside " + std::to_string(storage_->size()) + " bytes");
  }
}

Tensor Tensor::of_blocks(const Tensor& bytes, Shape shape, DType dtype,
                         std::shared_ptr<const BlockScales> scales) {
  require_whole_blocks("tensor", shape, dtype);
  if (!has_scales_beside(dtype) || bytes.bytes() != bytes_of(dtype, shape.numel()) || !scales) {
    throw ShapeError("[tensor] expected blocks of " + std::string(name_of(dtype)) + shape.to_string() +
                     " and their scales, got " + bytes.describe());
  }
  Tensor tensor = bytes.detached();
  tensor.shape_ = shape;
  tensor.dtype_ = dtype;
  tensor.scales_ = std::move(scales);
  return tensor;
}

BlockScales Tensor::scales() const {
  BlockScales scales = scales_ ? *scales_ : BlockScales();
  scales.first += first_block_;
  return scales;
}

Tensor Tensor::zeros(Shape shape, DType dtype) {
  Tensor tensor(shape, dtype);
  tensor.zero();
  return tensor;
}

Tensor Tensor::full(Shape shape, double value, DType dtype) {
  Tensor tensor(shape, dtype);
  tensor.fill(value);
  return tensor;
}

double Tensor::item() const {
  require_elements("item", dtype_);
  if (numel() != 1) throw ShapeError("[item] expected one element, got " + describe());
  return visit_float(dtype_, [&]<class T>() { return convert<double>(*data<T>()); });
}

Tensor Tensor::reshaped(Shape shape) const {
  if (shape.numel() != numel()) {
    throw ShapeError("[reshape] expected " + std::to_string(numel()) + " elements, got " + shape.to_string());
  }
  require_whole_blocks("reshape", shape, dtype_);
  Tensor tensor = detached();
  tensor.shape_ = shape;
  return tensor;
}

Tensor Tensor::sliced(int64_t begin, int64_t end) const {
  if (shape_.rank() == 0 || begin < 0 || end < begin || end > dim(0)) {
    throw ShapeError("[slice] expected a range within " + describe() + ", got [" + std::to_string(begin) +
                     ", " + std::to_string(end) + ")");
  }
  Tensor tensor = detached();
  tensor.shape_ = shape_.with(0, end - begin);
  require_whole_blocks("slice", tensor.shape_, dtype_);
  const int64_t before = begin * (dim(0) == 0 ? 0 : numel() / dim(0));
  tensor.offset_ += bytes_of(dtype_, before);
  if (scales_) tensor.first_block_ += before / block_elements(dtype_);
  return tensor;
}

Tensor Tensor::detached() const {
  Tensor tensor = *this;
  tensor.grad_meta_.reset();
  return tensor;
}

Tensor Tensor::clone() const {
  Tensor tensor = detached();
  tensor.storage_ = Storage::allocate(bytes());
  tensor.offset_ = 0;
  if (bytes() > 0) std::memcpy(tensor.raw(), raw(), static_cast<size_t>(bytes()));
  return tensor;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  Tensor tensor(shape_, dtype);
  tensor.copy_from(*this);
  return tensor;
}

void Tensor::copy_from(const Tensor& other) const {
  if (shape_ != other.shape_) throw ShapeError("[copy] expected " + describe() + ", got " + other.describe());
  const auto copy = [&]<class To, class From>() {
    const From* from = static_cast<const From*>(other.raw());
    To* to = static_cast<To*>(raw());
    if constexpr (std::is_integral_v<From>) {
      std::transform(from, from + numel(), to, [](From value) { return static_cast<To>(value); });
    } else {
      std::transform(from, from + numel(), to, [](From value) { return convert<To>(value); });
    }
  };
  if (dtype_ == other.dtype_) {
    require_own_scales("copy", dtype_);
    if (bytes() > 0) std::memmove(raw(), other.raw(), static_cast<size_t>(bytes()));
    return;
  }
  require_elements("copy", dtype_);
  require_elements("copy", other.dtype_);
  if (is_float(dtype_)) {
    visit_float(dtype_, [&]<class To>() {
      visit_float(other.dtype_, [&]<class From>() { copy.template operator()<To, From>(); });
    });
  } else {
    visit_int(dtype_, [&]<class To>() {
      visit_int(other.dtype_, [&]<class From>() { copy.template operator()<To, From>(); });
    });
  }
}

void Tensor::fill(double value) const {
  require_elements("fill", dtype_);
  if (is_float(dtype_)) {
    visit_float(dtype_, [&]<class T>() { std::fill_n(data<T>(), numel(), convert<T>(value)); });
  } else {
    visit_int(dtype_,
              [&]<class T>() { std::fill_n(static_cast<T*>(raw()), numel(), static_cast<T>(value)); });
  }
}

std::string Tensor::describe() const {
  return defined() ? std::string(name_of(dtype_)) + shape_.to_string() : "undefined";
}

void Tensor::require(DType dtype) const {
  if (dtype != dtype_) {
    throw InternalError("expected a tensor of " + std::string(name_of(dtype)) + ", got " + describe());
  }
}

}  // namespace quern
