// Mathematical functions of the SIMD facade, written once over Vec and included by every vec_*.h. The errors
// named are the largest over one float in 127 of the range, in units in the last place, where fma fuses; NaN
// gives NaN. The polynomials are minimax fits (Lawson's algorithm) rounded to f32.
#pragma once

namespace quern::backend::cpu::QUERN_ISA {

// c0 + c1 x + c2 x^2 + ... by Horner's rule.
inline Vec polynomial(Vec, float c0) { return Vec(c0); }
template <class... Rest>
inline Vec polynomial(Vec x, float c0, Rest... rest) {
  return fma(polynomial(x, rest...), x, Vec(c0));
}

// e^x, 1.02 ulp; subnormal results and overflow to infinity included.
inline Vec exp(Vec x) {
  x = min(Vec(89.0f), max(Vec(kLeastExponent), x));
  const Vec n = round(x * Vec(0x1.715476p0f));
  // x - n ln 2 with ln 2 in two parts, the first short enough for an exact product.
  const Vec r = fnma(n, Vec(-0x1.bd0106p-13f), fnma(n, Vec(0x1.63p-1f), x));
  const Vec p =
      polynomial(r, 0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.1239d6p-7f, 0x1.6a2448p-10f);
  return times_power_of_two(fma(r * r, p, r) + Vec(1.0f), n);
}

// 1 / (1 + e^-x), 2.4 ulp down to where e^-x overflows; 0 below.
inline Vec sigmoid(Vec x) { return reciprocal(Vec(1.0f) + exp(-x)); }

// The same with its derivative e / (1 + e)^2, e = e^-|x|, which cancels nowhere; 2.7 and 4.5 ulp.
struct Logistic {
  Vec value;
  Vec slope;
};
inline Logistic logistic(Vec x) {
  const Vec e = exp(-abs(x));
  const Vec r = reciprocal(Vec(1.0f) + e), other = e * r;
  return {select(x < Vec(0.0f), other, r), other * r};
}

// 1.4 ulp.
inline Vec tanh(Vec x) {
  const Vec t = abs(x), z = x * x;
  const Vec large = fnma(Vec(2.0f), reciprocal(exp(t + t) + Vec(1.0f)), Vec(1.0f));
  const Vec p =
      polynomial(z, -0x1.555530p-2f, 0x1.110692p-3f, -0x1.b827fep-5f, 0x1.519c92p-6f, -0x1.73641ap-8f);
  const Vec small = fma(x * z, p, x);
  return select(t < Vec(0.625f), small, select(x < Vec(0.0f), -large, large));
}

// The standard normal distribution function (1 + erf(x / sqrt 2)) / 2, 4.8 ulp on both sides of zero while it
// is a normal number, and e^(-x^2/2), which its derivative shares.
struct Normal {
  Vec cdf;
  Vec gauss;
};
inline Normal normal(Vec x) {
  const Vec t = min(Vec(20.0f), abs(x));
  const Vec square = t * t;
  const Vec coarse = exp(square * Vec(-0.5f));
  const Vec gauss =
      fma(coarse * Vec(0.5f), fnma(t, t, square), coarse);  // corrects for the rounding of the square
  // The tail 1 - cdf(t) = gauss * erfcx(t / sqrt 2) / 2, and erfcx is smooth in (t-k) / (t+k).
  const Vec inverse = reciprocal(t + Vec(2.5f));
  const Vec s = (t - Vec(2.5f)) * inverse;
  const Vec q =
      polynomial(s, 0x1.69cee6p-1f, -0x1.bc19c2p-2f, 0x1.0e4f34p-3f, 0x1.2ea3acp-7f, -0x1.0c79b0p-6f,
                 -0x1.a39a10p-10f, 0x1.4af0a8p-9f, 0x1.66e61ap-11f, -0x1.47e7e6p-12f, -0x1.4c0fd8p-13f);
  const Vec tail = gauss * inverse * q;
  return {select(x < Vec(0.0f), tail, Vec(1.0f) - tail), gauss};
}

}  // namespace quern::backend::cpu::QUERN_ISA
