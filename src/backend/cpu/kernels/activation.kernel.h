// Activations, their gradients, and gated pairs of them.
#pragma once

#include "backend/cpu/kernels/support.h"

namespace quern::backend::cpu::QUERN_ISA {

// Each activation gives its value, and its value and slope together where the two share work.
struct ValueAndSlope {
  Vec value;
  Vec slope;
};

struct Identity {
  static Vec value(Vec x) { return x; }
  static ValueAndSlope both(Vec x) { return {x, Vec(1.0f)}; }
};

struct GeluErf {
  static Vec value(Vec x) { return x * normal(x).cdf; }
  static ValueAndSlope both(Vec x) {
    const Normal n = normal(x);
    return {x * n.cdf, fma(x * Vec(0x1.988454p-2f), n.gauss, n.cdf)};  // 1 / sqrt(2 pi)
  }
};

// (1 + tanh u) / 2 is sigmoid(2u), which does not cancel where x is negative; 2u = x (2 + 2*0.044715 x^2)
// sqrt(2/pi).
struct GeluTanh {
  static constexpr float kLinear = 0x1.988454p0f, kCubic = 0x1.2444f2p-4f;
  static Vec value(Vec x) { return x * sigmoid(x * fma(x * x, Vec(kCubic), Vec(kLinear))); }
  static ValueAndSlope both(Vec x) {
    const Vec square = x * x;
    const Vec u = x * fma(square, Vec(kCubic), Vec(kLinear));
    const Logistic s = logistic(u);
    return {x * s.value, fma(x * s.slope, fma(square, Vec(3.0f * kCubic), Vec(kLinear)), s.value)};
  }
};

struct Silu {
  static Vec value(Vec x) { return x * sigmoid(x); }
  static ValueAndSlope both(Vec x) {
    const Logistic s = logistic(x);
    return {x * s.value, fma(x, s.slope, s.value)};
  }
};

struct Relu {
  static Vec value(Vec x) { return max(Vec(0.0f), x); }
  static ValueAndSlope both(Vec x) { return {value(x), select(Vec(0.0f) < x, Vec(1.0f), Vec(0.0f))}; }
};

struct Sigmoid {
  static Vec value(Vec x) { return sigmoid(x); }
  static ValueAndSlope both(Vec x) {
    const Logistic s = logistic(x);
    return {s.value, s.slope};
  }
};

// tanh' x = 1 - tanh^2 x = 4 logistic'(2x), which does not cancel.
struct Tanh {
  static Vec value(Vec x) { return tanh(x); }
  static ValueAndSlope both(Vec x) { return {tanh(x), Vec(4.0f) * logistic(x + x).slope}; }
};

struct ReluSquared {
  static Vec value(Vec x) {
    const Vec r = max(Vec(0.0f), x);
    return r * r;
  }
  static ValueAndSlope both(Vec x) {
    const Vec r = max(Vec(0.0f), x);
    return {r * r, r + r};
  }
};

// Calls f.template operator()<A>() with the struct of an activation.
template <class F>
inline void visit_activation(Activation kind, F&& f) {
  switch (kind) {
    case Activation::identity:
      return f.template operator()<Identity>();
    case Activation::gelu_erf:
      return f.template operator()<GeluErf>();
    case Activation::gelu_tanh:
      return f.template operator()<GeluTanh>();
    case Activation::silu:
      return f.template operator()<Silu>();
    case Activation::relu:
      return f.template operator()<Relu>();
    case Activation::sigmoid:
      return f.template operator()<Sigmoid>();
    case Activation::tanh:
      return f.template operator()<Tanh>();
    case Activation::relu_squared:
      return f.template operator()<ReluSquared>();
  }
}

// Calls body<A, T>(begin, end) over the elements, in parallel.
template <class Body>
inline bool for_activation(Activation kind, DType dtype, int64_t count, const Body& body) {
  return visit_dtype(dtype, [&]<class T>() {
    visit_activation(kind, [&]<class A>() {
      parallel_for(count, kHeavyGrain,
                   [&](int64_t begin, int64_t end) { body.template operator()<A, T>(begin, end - begin); });
    });
  });
}

inline bool activation(const ActivationArgs& a) {
  return for_activation(a.kind, a.dtype, a.count, [&]<class A, class T>(int64_t begin, int64_t count) {
    const T* x = static_cast<const T*>(a.x) + begin;
    T* y = static_cast<T*>(a.y) + begin;
    for_lanes(count, [&](int64_t i, auto lanes) { A::value(Vec::load(x + i, lanes)).store(y + i, lanes); });
  });
}

inline bool activation_backward(const ActivationBackwardArgs& a) {
  return for_activation(a.kind, a.dtype, a.count, [&]<class A, class T>(int64_t begin, int64_t count) {
    const T* x = static_cast<const T*>(a.x) + begin;
    const T* dy = static_cast<const T*>(a.dy) + begin;
    T* dx = static_cast<T*>(a.dx) + begin;
    for_lanes(count, [&](int64_t i, auto lanes) {
      (Vec::load(dy + i, lanes) * A::both(Vec::load(x + i, lanes)).slope).store(dx + i, lanes);
    });
  });
}

inline bool gated(const GatedArgs& a) {
  return for_activation(a.kind, a.dtype, a.count, [&]<class A, class T>(int64_t begin, int64_t count) {
    const T* gate = static_cast<const T*>(a.gate) + begin;
    const T* up = static_cast<const T*>(a.up) + begin;
    T* y = static_cast<T*>(a.y) + begin;
    for_lanes(count, [&](int64_t i, auto lanes) {
      (A::value(Vec::load(gate + i, lanes)) * Vec::load(up + i, lanes)).store(y + i, lanes);
    });
  });
}

inline bool gated_backward(const GatedBackwardArgs& a) {
  return for_activation(a.kind, a.dtype, a.count, [&]<class A, class T>(int64_t begin, int64_t count) {
    const T* gate = static_cast<const T*>(a.gate) + begin;
    const T* up = static_cast<const T*>(a.up) + begin;
    const T* dy = static_cast<const T*>(a.dy) + begin;
    T* dgate = static_cast<T*>(a.dgate) + begin;
    T* dup = static_cast<T*>(a.dup) + begin;
    for_lanes(count, [&](int64_t i, auto lanes) {
      const Vec g = Vec::load(dy + i, lanes), u = Vec::load(up + i, lanes);
      const ValueAndSlope act = A::both(Vec::load(gate + i, lanes));
      (g * u * act.slope).store(dgate + i, lanes);
      (g * act.value).store(dup + i, lanes);
    });
  });
}

}  // namespace quern::backend::cpu::QUERN_ISA
