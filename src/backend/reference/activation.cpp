#include <cmath>
#include <numbers>

#include "backend/reference/access.h"
#include "backend/reference/kernels.h"

namespace quern::backend::reference {

namespace {

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

struct Curve {
  double value;
  double slope;
};

Curve gelu_erf(double x) {
  const double cdf = 0.5 * std::erfc(-x / std::numbers::sqrt2);
  const double pdf = std::exp(-0.5 * x * x) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
  return {x * cdf, cdf + x * pdf};
}

// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x³))): Hendrycks and Gimpel 2016, arXiv 1606.08415.
Curve gelu_tanh(double x) {
  constexpr double kScale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi, kCubic = 0.044715;
  const double t = std::tanh(kScale * (x + kCubic * x * x * x));
  const double inner_slope = kScale * (1.0 + 3.0 * kCubic * x * x);
  return {0.5 * x * (1.0 + t), 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner_slope};
}

Curve silu(double x) {
  const double s = sigmoid(x);
  return {x * s, s * (1.0 + x * (1.0 - s))};
}

Curve curve(Activation kind, double x) {
  switch (kind) {
    case Activation::identity:
      return {x, 1.0};
    case Activation::gelu_erf:
      return gelu_erf(x);
    case Activation::gelu_tanh:
      return gelu_tanh(x);
    case Activation::silu:
      return silu(x);
    case Activation::relu:
      return {x < 0.0 ? 0.0 : x, x > 0.0 ? 1.0 : 0.0};  // NaN stays
    case Activation::sigmoid:
      return {sigmoid(x), sigmoid(x) * (1.0 - sigmoid(x))};
    case Activation::tanh:
      return {std::tanh(x), 1.0 - std::tanh(x) * std::tanh(x)};
    case Activation::relu_squared:
      return {x < 0.0 ? 0.0 : x * x, x > 0.0 ? 2.0 * x : 0.0};
  }
  return {0.0, 0.0};
}

}  // namespace

bool activation(const ActivationArgs& a) {
  return visit_pair(a.dtype, [&]<class T, class>() {
    for (int64_t i = 0; i < a.count; ++i) {
      static_cast<T*>(a.y)[i] = from_double<T>(curve(a.kind, at<T>(a.x, i, 0.0)).value);
    }
  });
}

bool activation_backward(const ActivationBackwardArgs& a) {
  return visit_pair(a.dtype, [&]<class T, class>() {
    for (int64_t i = 0; i < a.count; ++i) {
      static_cast<T*>(a.dx)[i] =
          from_double<T>(at<T>(a.dy, i, 0.0) * curve(a.kind, at<T>(a.x, i, 0.0)).slope);
    }
  });
}

bool gated(const GatedArgs& a) {
  return visit_pair(a.dtype, [&]<class T, class>() {
    for (int64_t i = 0; i < a.count; ++i) {
      static_cast<T*>(a.y)[i] =
          from_double<T>(curve(a.kind, at<T>(a.gate, i, 0.0)).value * at<T>(a.up, i, 0.0));
    }
  });
}

bool gated_backward(const GatedBackwardArgs& a) {
  return visit_pair(a.dtype, [&]<class T, class>() {
    for (int64_t i = 0; i < a.count; ++i) {
      const double dy = at<T>(a.dy, i, 0.0), up = at<T>(a.up, i, 0.0);
      const Curve gate = curve(a.kind, at<T>(a.gate, i, 0.0));
      static_cast<T*>(a.dgate)[i] = from_double<T>(dy * up * gate.slope);
      static_cast<T*>(a.dup)[i] = from_double<T>(dy * gate.value);
    }
  });
}

}  // namespace quern::backend::reference
