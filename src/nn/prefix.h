// Prefix tuning (Li & Liang 2021, arXiv 2101.00190): keys and values that no token has, before every text, in each layer.
#pragma once

#include <optional>
#include <vector>

#include "nn/adapter.h"

namespace quern::nn {

struct PrefixSpec {
  int64_t tokens = 0;  // n
  int64_t layers = 0;
  int64_t width = 0;       // W: K * D of the model
  int64_t projection = 0;  // inner width of the perceptron that makes the prefix; 0: it is learnt as it is
};

// Virtual token i has row i of keys and values [n, W] of each layer in place of its own, as they stand in a cache: they do
// not turn. These are parameters "layers.<l>.{keys,values}"; with a projection they are
// tanh(E · U^T + u) · P^T + p, of "embedding" E [n, W], "inner.{weight,bias}" U and u, and of each layer
// "layers.<l>.{keys,values}.{weight,bias}" P [W, inner] and p.
class Prefix final : public Adapter {
 public:
  explicit Prefix(const PrefixSpec& spec);

  const PrefixSpec& spec() const { return spec_; }
  int64_t virtual_tokens() const override { return spec_.tokens; }
  Tensor keys(int64_t layer, const Tensor& k, const Tensor& which) const override;
  Tensor values(int64_t layer, const Tensor& v, const Tensor& which) const override;
  void visit(const Visitor& visitor, const std::string& prefix = {}) override;

  // What a layer sees of the virtual tokens, by the masters of the parameters: [n, W] each.
  Tensor keys(int64_t layer) const;
  Tensor values(int64_t layer) const;
  // Takes rows [n, W] for those of a layer. Precondition: there is no projection.
  void assign(int64_t layer, Tensor keys, Tensor values);

 private:
  // [n, W]; or what makes them.
  struct Rows {
    Parameter matrix;
    std::optional<Parameter> bias;
  };
  struct Layer {
    Rows keys, values;
  };
  struct Projection {
    Parameter embedding;
    Rows inner;
  };
  Rows new_rows() const;
  template <class ValueOf>
  Tensor rows(const Rows& of, const ValueOf& value_of) const;
  Tensor replaced(const Tensor& x, const Tensor& which, const Rows& rows) const;

  PrefixSpec spec_;
  std::optional<Projection> projection_;
  std::vector<Layer> layers_;
};

}  // namespace quern::nn
