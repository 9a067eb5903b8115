// GPT-2, forward, backward and AdamW, as one page of loops. Each part of the network is a pair: <part>
// computes the output, <part>_backward turns the gradient of the output into gradients of the inputs. dx
// always means dloss/dx. Weight gradients are added to (a weight may be used twice, as wte is); gradients of
// activations are returned.
//
// Radford et al., "Language models are unsupervised multitask learners" (2019).
#include "gpt_reference.h"

#include <cmath>

namespace gpt_reference {

// ---------------------------------------- linear ----------------------------------------
//
// x [R, I], w [I, O], b [O]  ->  y [R, O] = x w + b

static Buffer linear(const Buffer& x, const Buffer& w, const Buffer& b, int R, int I, int O) {
  Buffer y(size_t(R) * O);
  for (int r = 0; r < R; ++r) {
    for (int o = 0; o < O; ++o) {
      double sum = b[o];
      for (int i = 0; i < I; ++i) sum += double(x[r * I + i]) * w[i * O + o];
      y[r * O + o] = float(sum);
    }
  }
  return y;
}

static Buffer linear_backward(const Buffer& x, const Buffer& w, const Buffer& dy, Buffer& dw, Buffer& db,
                              int R, int I, int O) {
  for (int o = 0; o < O; ++o) {
    double sum = 0;
    for (int r = 0; r < R; ++r) sum += dy[r * O + o];
    db[o] += float(sum);
    for (int i = 0; i < I; ++i) {
      double dot = 0;
      for (int r = 0; r < R; ++r) dot += double(x[r * I + i]) * dy[r * O + o];
      dw[i * O + o] += float(dot);
    }
  }
  Buffer dx(size_t(R) * I);
  for (int r = 0; r < R; ++r) {
    for (int i = 0; i < I; ++i) {
      double sum = 0;
      for (int o = 0; o < O; ++o) sum += double(dy[r * O + o]) * w[i * O + o];
      dx[r * I + i] = float(sum);
    }
  }
  return dx;
}

// ---------------------------------------- layer norm ----------------------------------------
//
// x [R, C], w [C], b [C]  ->  y [R, C] = (x - mean) * rstd * w + b, with mean and rstd = 1 /
// sqrt(variance + eps) of each row kept for backward.

static Buffer layer_norm(const Buffer& x, const Buffer& w, const Buffer& b, Buffer& mean, Buffer& rstd,
                         double eps, int R, int C) {
  Buffer y(size_t(R) * C);
  mean.resize(R);
  rstd.resize(R);
  for (int r = 0; r < R; ++r) {
    double m = 0, variance = 0;
    for (int c = 0; c < C; ++c) m += x[r * C + c] / double(C);
    for (int c = 0; c < C; ++c) variance += (x[r * C + c] - m) * (x[r * C + c] - m) / C;
    const double s = 1 / std::sqrt(variance + eps);
    for (int c = 0; c < C; ++c) y[r * C + c] = float((x[r * C + c] - m) * s * w[c] + b[c]);
    mean[r] = float(m);
    rstd[r] = float(s);
  }
  return y;
}

// With n = (x - mean) * rstd and dn = dy * w:  dx = rstd * (dn - average(dn) - n * average(dn * n)).
static Buffer layer_norm_backward(const Buffer& x, const Buffer& w, const Buffer& mean, const Buffer& rstd,
                                  const Buffer& dy, Buffer& dw, Buffer& db, int R, int C) {
  Buffer dx(size_t(R) * C);
  for (int r = 0; r < R; ++r) {
    double average_dn = 0, average_dn_n = 0;
    for (int c = 0; c < C; ++c) {
      const double n = (double(x[r * C + c]) - mean[r]) * rstd[r];
      const double dn = double(dy[r * C + c]) * w[c];
      average_dn += dn / C;
      average_dn_n += dn * n / C;
    }
    for (int c = 0; c < C; ++c) {
      const double n = (double(x[r * C + c]) - mean[r]) * rstd[r];
      const double dn = double(dy[r * C + c]) * w[c];
      dx[r * C + c] = float(rstd[r] * (dn - average_dn - n * average_dn_n));
      dw[c] += float(dy[r * C + c] * n);
      db[c] += dy[r * C + c];
    }
  }
  return dx;
}

// ---------------------------------------- attention ----------------------------------------
//
// qkv [B T, 3C] holds the query, key and value of each head side by side. Token t of a sequence
// looks at tokens s <= t of it:  a[t, s] = softmax over s of (q_t . k_s / sqrt(D)),  y_t = sum over s of a[t,
// s] v_s.

static Buffer attention(const Buffer& qkv, Buffer& a, int B, int T, int C, int H) {
  const int D = C / H;
  const double scale = 1 / std::sqrt(double(D));
  a.assign(size_t(B) * H * T * T, 0);  // [B, H, T, T]
  Buffer y(size_t(B) * T * C);         // [B T, C]
  for (int b = 0; b < B; ++b) {
    for (int h = 0; h < H; ++h) {
      const float* q = &qkv[b * T * 3 * C + h * D];  // of token t: q[t * 3C]
      const float* k = q + C;
      const float* v = k + C;
      for (int t = 0; t < T; ++t) {
        float* row = &a[((b * H + h) * T + t) * T];
        std::vector<double> score(t + 1);
        double highest = -INFINITY, sum = 0;
        for (int s = 0; s <= t; ++s) {
          for (int d = 0; d < D; ++d) score[s] += scale * q[t * 3 * C + d] * k[s * 3 * C + d];
          highest = std::fmax(highest, score[s]);
        }
        for (int s = 0; s <= t; ++s) sum += std::exp(score[s] - highest);
        for (int s = 0; s <= t; ++s) row[s] = float(std::exp(score[s] - highest) / sum);
        for (int d = 0; d < D; ++d) {
          double mix = 0;
          for (int s = 0; s <= t; ++s) mix += double(row[s]) * v[s * 3 * C + d];
          y[(b * T + t) * C + h * D + d] = float(mix);
        }
      }
    }
  }
  return y;
}

// da = dy . v;  through the softmax, dscore = a * (da - sum over s of a da);  then to q, k and v.
static Buffer attention_backward(const Buffer& qkv, const Buffer& a, const Buffer& dy, int B, int T, int C,
                                 int H) {
  const int D = C / H;
  const double scale = 1 / std::sqrt(double(D));
  std::vector<double> dqkv(size_t(B) * T * 3 * C);  // sums of many terms
  for (int b = 0; b < B; ++b) {
    for (int h = 0; h < H; ++h) {
      const float* q = &qkv[b * T * 3 * C + h * D];
      const float* k = q + C;
      const float* v = k + C;
      double* dq = &dqkv[b * T * 3 * C + h * D];
      double* dk = dq + C;
      double* dv = dk + C;
      for (int t = 0; t < T; ++t) {
        const float* row = &a[((b * H + h) * T + t) * T];
        const float* dout = &dy[(b * T + t) * C + h * D];
        std::vector<double> da(t + 1);
        double sum = 0;
        for (int s = 0; s <= t; ++s) {
          for (int d = 0; d < D; ++d) da[s] += double(dout[d]) * v[s * 3 * C + d];
          sum += row[s] * da[s];
        }
        for (int s = 0; s <= t; ++s) {
          const double dscore = row[s] * (da[s] - sum) * scale;
          for (int d = 0; d < D; ++d) {
            dq[t * 3 * C + d] += dscore * k[s * 3 * C + d];
            dk[s * 3 * C + d] += dscore * q[t * 3 * C + d];
            dv[s * 3 * C + d] += double(row[s]) * dout[d];
          }
        }
      }
    }
  }
  return Buffer(dqkv.begin(), dqkv.end());
}

// ---------------------------------------- gelu ----------------------------------------
//
// The tanh form: y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Hendrycks and Gimpel, "Gaussian
// error linear units" (2016).

static const double kGelu = std::sqrt(2 / std::acos(-1.0));

static Buffer gelu(const Buffer& x) {
  Buffer y(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const double u = x[i];
    y[i] = float(0.5 * u * (1 + std::tanh(kGelu * (u + 0.044715 * u * u * u))));
  }
  return y;
}

static Buffer gelu_backward(const Buffer& x, const Buffer& dy) {
  Buffer dx(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const double u = x[i], th = std::tanh(kGelu * (u + 0.044715 * u * u * u));
    dx[i] = float(dy[i] * (0.5 * (1 + th) + 0.5 * u * (1 - th * th) * kGelu * (1 + 3 * 0.044715 * u * u)));
  }
  return dx;
}

// ---------------------------------------- embedding ----------------------------------------
//
// tokens [B, T]  ->  y [B T, C] = wte[token] + wpe[t]

static Buffer embed(const Weights& w, const std::vector<int>& tokens, int B, int T, int C) {
  Buffer y(size_t(B) * T * C);
  for (int r = 0; r < B * T; ++r) {
    for (int c = 0; c < C; ++c) y[r * C + c] = w.wte[tokens[r] * C + c] + w.wpe[(r % T) * C + c];
  }
  return y;
}

static void embed_backward(const std::vector<int>& tokens, const Buffer& dy, Weights& d, int B, int T,
                           int C) {
  for (int r = 0; r < B * T; ++r) {
    for (int c = 0; c < C; ++c) {
      d.wte[tokens[r] * C + c] += dy[r * C + c];
      d.wpe[(r % T) * C + c] += dy[r * C + c];
    }
  }
}

// ---------------------------------------- head ----------------------------------------
//
// x [R, C], wte [V, C]  ->  logits [R, V] = x wte^T

static Buffer head(const Buffer& x, const Buffer& wte, int R, int C, int V) {
  Buffer logits(size_t(R) * V);
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) {
      double sum = 0;
      for (int c = 0; c < C; ++c) sum += double(x[r * C + c]) * wte[v * C + c];
      logits[r * V + v] = float(sum);
    }
  }
  return logits;
}

static Buffer head_backward(const Buffer& x, const Buffer& wte, const Buffer& dlogits, Buffer& dwte, int R,
                            int C, int V) {
  for (int v = 0; v < V; ++v) {
    for (int c = 0; c < C; ++c) {
      double sum = 0;
      for (int r = 0; r < R; ++r) sum += double(dlogits[r * V + v]) * x[r * C + c];
      dwte[v * C + c] += float(sum);
    }
  }
  Buffer dx(size_t(R) * C);
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) {
      double sum = 0;
      for (int v = 0; v < V; ++v) sum += double(dlogits[r * V + v]) * wte[v * C + c];
      dx[r * C + c] = float(sum);
    }
  }
  return dx;
}

// ---------------------------------------- loss ----------------------------------------
//
// The average over R rows of -log softmax(logits)[target]; its gradient is (softmax(logits) -
// onehot(target)) / R.

// log of the sum of exp over a row [V]
static double log_sum_exp(const float* row, int V) {
  double highest = row[0], sum = 0;
  for (int v = 1; v < V; ++v) highest = std::fmax(highest, row[v]);
  for (int v = 0; v < V; ++v) sum += std::exp(row[v] - highest);
  return highest + std::log(sum);
}

double loss(const Config& config, const Buffer& logits, const std::vector<int>& targets) {
  const int V = config.V, R = int(targets.size());
  double sum = 0;
  for (int r = 0; r < R; ++r) sum += log_sum_exp(&logits[r * V], V) - logits[r * V + targets[r]];
  return sum / R;
}

static Buffer loss_backward(const Buffer& logits, const std::vector<int>& targets, int V) {
  const int R = int(targets.size());
  Buffer dlogits(logits.size());
  for (int r = 0; r < R; ++r) {
    const double total = log_sum_exp(&logits[r * V], V);
    for (int v = 0; v < V; ++v) {
      dlogits[r * V + v] = float((std::exp(logits[r * V + v] - total) - (v == targets[r] ? 1 : 0)) / R);
    }
  }
  return dlogits;
}

// ---------------------------------------- network ----------------------------------------
//
// Each layer adds to a stream x [B T, C]:  x += attention(norm(x)), then x += mlp(norm(x)).

static Buffer sum_of(const Buffer& a, const Buffer& b) {
  Buffer y(a.size());
  for (size_t i = 0; i < a.size(); ++i) y[i] = a[i] + b[i];
  return y;
}

Activations forward(const Config& config, const Weights& weights, const std::vector<int>& tokens, int B,
                    int T) {
  const int C = config.C, R = B * T;
  Activations acts;
  acts.layers.resize(config.L);
  acts.stream.push_back(embed(weights, tokens, B, T, C));
  for (int l = 0; l < config.L; ++l) {
    const Block& w = weights.blocks[l];
    LayerActivations& a = acts.layers[l];
    const Buffer& x = acts.stream[l];
    a.ln1 = layer_norm(x, w.ln1_w, w.ln1_b, a.ln1_mean, a.ln1_rstd, config.eps, R, C);
    a.qkv = linear(a.ln1, w.qkv_w, w.qkv_b, R, C, 3 * C);
    a.mixed = attention(a.qkv, a.attention, B, T, C, config.H);
    a.middle = sum_of(x, linear(a.mixed, w.proj_w, w.proj_b, R, C, C));
    a.ln2 = layer_norm(a.middle, w.ln2_w, w.ln2_b, a.ln2_mean, a.ln2_rstd, config.eps, R, C);
    a.fc = linear(a.ln2, w.fc_w, w.fc_b, R, C, 4 * C);
    a.gelu = gelu(a.fc);
    acts.stream.push_back(sum_of(a.middle, linear(a.gelu, w.out_w, w.out_b, R, 4 * C, C)));
  }
  acts.lnf = layer_norm(acts.stream.back(), weights.lnf_w, weights.lnf_b, acts.lnf_mean, acts.lnf_rstd,
                        config.eps, R, C);
  acts.logits = head(acts.lnf, weights.wte, R, C, config.V);
  return acts;
}

// The same lines from last to first. Where the stream forked, the gradients of its two branches add.
Weights backward(const Config& config, const Weights& weights, const Activations& acts,
                 const std::vector<int>& tokens, const std::vector<int>& targets, int B, int T) {
  const int C = config.C, R = B * T;
  Weights d(config);
  const Buffer dlogits = loss_backward(acts.logits, targets, config.V);
  const Buffer dlnf = head_backward(acts.lnf, weights.wte, dlogits, d.wte, R, C, config.V);
  Buffer dx = layer_norm_backward(acts.stream.back(), weights.lnf_w, acts.lnf_mean, acts.lnf_rstd, dlnf,
                                  d.lnf_w, d.lnf_b, R, C);
  for (int l = config.L - 1; l >= 0; --l) {
    const Block& w = weights.blocks[l];
    const LayerActivations& a = acts.layers[l];
    Block& dw = d.blocks[l];
    const Buffer dgelu = linear_backward(a.gelu, w.out_w, dx, dw.out_w, dw.out_b, R, 4 * C, C);
    const Buffer dfc = gelu_backward(a.fc, dgelu);
    const Buffer dln2 = linear_backward(a.ln2, w.fc_w, dfc, dw.fc_w, dw.fc_b, R, C, 4 * C);
    dx = sum_of(
        dx, layer_norm_backward(a.middle, w.ln2_w, a.ln2_mean, a.ln2_rstd, dln2, dw.ln2_w, dw.ln2_b, R, C));
    const Buffer dmixed = linear_backward(a.mixed, w.proj_w, dx, dw.proj_w, dw.proj_b, R, C, C);
    const Buffer dqkv = attention_backward(a.qkv, a.attention, dmixed, B, T, C, config.H);
    const Buffer dln1 = linear_backward(a.ln1, w.qkv_w, dqkv, dw.qkv_w, dw.qkv_b, R, C, 3 * C);
    dx = sum_of(dx, layer_norm_backward(acts.stream[l], w.ln1_w, a.ln1_mean, a.ln1_rstd, dln1, dw.ln1_w,
                                        dw.ln1_b, R, C));
  }
  embed_backward(tokens, dx, d, B, T, C);
  return d;
}

// ---------------------------------------- weights ----------------------------------------

Weights::Weights(const Config& config)
    : wte(size_t(config.V) * config.C),
      wpe(size_t(config.N) * config.C),
      blocks(config.L),
      lnf_w(config.C),
      lnf_b(config.C) {
  const size_t C = config.C;
  for (Block& block : blocks) {
    for (Buffer* vector :
         {&block.ln1_w, &block.ln1_b, &block.ln2_w, &block.ln2_b, &block.proj_b, &block.out_b}) {
      vector->resize(C);
    }
    block.qkv_w.resize(C * 3 * C);
    block.qkv_b.resize(3 * C);
    block.proj_w.resize(C * C);
    block.fc_w.resize(C * 4 * C);
    block.fc_b.resize(4 * C);
    block.out_w.resize(4 * C * C);
  }
}

std::vector<Parameter> Weights::parameters() {
  std::vector<Parameter> list{{"transformer.wte.weight", &wte, true}, {"transformer.wpe.weight", &wpe, true}};
  for (size_t l = 0; l < blocks.size(); ++l) {
    Block& block = blocks[l];
    const std::string layer = "transformer.h." + std::to_string(l) + ".";
    list.insert(list.end(), {{layer + "ln_1.weight", &block.ln1_w, false},
                             {layer + "ln_1.bias", &block.ln1_b, false},
                             {layer + "attn.c_attn.weight", &block.qkv_w, true},
                             {layer + "attn.c_attn.bias", &block.qkv_b, false},
                             {layer + "attn.c_proj.weight", &block.proj_w, true},
                             {layer + "attn.c_proj.bias", &block.proj_b, false},
                             {layer + "ln_2.weight", &block.ln2_w, false},
                             {layer + "ln_2.bias", &block.ln2_b, false},
                             {layer + "mlp.c_fc.weight", &block.fc_w, true},
                             {layer + "mlp.c_fc.bias", &block.fc_b, false},
                             {layer + "mlp.c_proj.weight", &block.out_w, true},
                             {layer + "mlp.c_proj.bias", &block.out_b, false}});
  }
  list.push_back({"transformer.ln_f.weight", &lnf_w, false});
  list.push_back({"transformer.ln_f.bias", &lnf_b, false});
  return list;
}

// ---------------------------------------- adamw ----------------------------------------
//
// The moments are running averages of g and g^2, divided by 1 - beta^step since they start at zero; the
// weight first shrinks by lr * decay, apart from the gradient ("decoupled").

void AdamW::update(Weights& weights, Weights& gradient) {
  ++step;
  const double correction1 = 1 - std::pow(beta1, step), correction2 = 1 - std::pow(beta2, step);
  const auto ws = weights.parameters(), gs = gradient.parameters(), ms = m.parameters(), vs = v.parameters();
  for (size_t n = 0; n < ws.size(); ++n) {
    const double kept = 1 - (ws[n].is_matrix ? lr * decay : 0);
    for (size_t i = 0; i < ws[n].values->size(); ++i) {
      float& wi = (*ws[n].values)[i];
      float& mi = (*ms[n].values)[i];
      float& vi = (*vs[n].values)[i];
      const double gi = (*gs[n].values)[i];
      mi = float(beta1 * mi + (1 - beta1) * gi);
      vi = float(beta2 * vi + (1 - beta2) * gi * gi);
      wi = float(kept * wi - lr * (mi / correction1) / (std::sqrt(vi / correction2) + eps));
    }
  }
}

}  // namespace gpt_reference
