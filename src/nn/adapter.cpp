#include "nn/adapter.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "autograd/graph.h"
#include "base/exception.h"

namespace quern::nn {

bool Adapter::changes(const Parameter&) const { return false; }

Tensor Adapter::change(const Parameter&, const Tensor&, const Tensor&, const Tensor& y,
                       const DropoutState&) const {
  return y;
}

bool Adapter::follows(int64_t, Branch) const { return false; }

Tensor Adapter::follow(int64_t, Branch, const Tensor& y, const Tensor&, const DropoutState&) const {
  return y;
}

Tensor Adapter::embeddings(const Tensor& x, const Tensor&) const { return x; }
Tensor Adapter::keys(int64_t, const Tensor& k, const Tensor&) const { return k; }
Tensor Adapter::values(int64_t, const Tensor& v, const Tensor&) const { return v; }

namespace {

// y, of `count` rows, with those of each adapter that `is_meant` replaced by what `change` makes: change(adapter, rows_of)
// where rows_of(tensor) are the adapter's rows of a tensor of as many.
template <class IsMeant, class Change>
Tensor by_rows(const Tensor& y, int64_t count, bool recorded, const ForwardContext& context,
               const IsMeant& is_meant, const Change& change) {
  Tensor result = y;
  for (const AdapterRows& part : context.adapters) {
    const int64_t last = std::min(part.end, count);
    if (part.begin >= last || !is_meant(*part.adapter)) continue;
    if (part.begin == 0 && last == count) return change(*part.adapter, [](const Tensor& all) { return all; });
    if (recorded) throw InternalError("[adapter] adapters of some rows are for passes without gradients");
    const auto rows_of = [&](const Tensor& all) {
      return all.reshaped({count, all.numel() / count}).sliced(part.begin, last);
    };
    rows_of(result).copy_from(change(*part.adapter, rows_of));
  }
  return result;
}

bool has_virtual_tokens(const Adapter& adapter) { return adapter.virtual_tokens() > 0; }

template <class Change>
Tensor by_virtual_rows(const Tensor& x, const ForwardContext& context, const Change& change) {
  const Tensor& which = context.virtual_tokens;
  if (!which.defined()) return x;
  return by_rows(x, which.numel(), autograd::recording({&x}), context, has_virtual_tokens,
                 [&](const Adapter& adapter, const auto& rows_of) {
                   return change(adapter, rows_of(x), rows_of(which));
                 });
}

}  // namespace

bool is_adapted(const Parameter& weight, const ForwardContext& context) {
  return std::ranges::any_of(context.adapters,
                             [&](const AdapterRows& rows) { return rows.adapter->changes(weight); });
}

Tensor adapted(const Parameter& weight, const Tensor& bias, const Tensor& x, const Tensor& y,
               const ForwardContext& context) {
  return by_rows(
      y, x.shape().rows(), autograd::recording({&x, &y}), context,
      [&](const Adapter& adapter) { return adapter.changes(weight); },
      [&](const Adapter& adapter, const auto& rows_of) {
        return adapter.change(weight, bias, rows_of(x), rows_of(y), context.dropout);
      });
}

Tensor followed(int64_t layer, Branch branch, const Tensor& y, const Tensor& stream,
                const ForwardContext& context) {
  return by_rows(
      y, y.shape().rows(), autograd::recording({&y, &stream}), context,
      [&](const Adapter& adapter) { return adapter.follows(layer, branch); },
      [&](const Adapter& adapter, const auto& rows_of) {
        return adapter.follow(layer, branch, rows_of(y), rows_of(stream), context.dropout);
      });
}

Tensor with_own_embeddings(const Tensor& x, const Tensor& tokens, double scale,
                           const ForwardContext& context) {
  return by_rows(
      x, tokens.numel(), autograd::recording({&x}), context,
      [](const Adapter& adapter) { return adapter.embedding_rows() != nullptr; },
      [&](const Adapter& adapter, const auto& rows_of) {
        return adapter.embedding_rows()->embeddings(rows_of(x), rows_of(tokens), scale);
      });
}

void put_own_logits(const Tensor& states, const Tensor& bias, std::span<const AdapterRows> adapters,
                    const Tensor& logits) {
  for (const AdapterRows& part : adapters) {
    const int64_t last = std::min(part.end, logits.dim(0));
    if (part.begin >= last || part.adapter->head_rows() == nullptr) continue;
    part.adapter->head_rows()->put_logits(states.sliced(part.begin, last), bias,
                                          logits.sliced(part.begin, last));
  }
}

const TokenRows* head_rows(std::span<const AdapterRows> adapters) {
  for (const AdapterRows& part : adapters) {
    if (part.begin >= part.end || part.adapter->head_rows() == nullptr) continue;
    if (part.begin > 0 || part.end < std::numeric_limits<int64_t>::max())
      throw InternalError("[adapter] losses are of one adapter for all rows");
    return part.adapter->head_rows();
  }
  return nullptr;
}

Tensor take_virtual_tokens(const Tensor& tokens, int64_t vocab, ForwardContext& context) {
  const auto has = [](const AdapterRows& rows) { return has_virtual_tokens(*rows.adapter); };
  if (std::ranges::none_of(context.adapters, has)) return tokens;
  const auto given = tokens.span<int32_t>();
  if (std::ranges::none_of(given, [&](int32_t id) { return id >= vocab; })) return tokens;
  Tensor text = tokens.clone();
  context.virtual_tokens = Tensor::full(tokens.shape(), -1, DType::i32);
  const auto ids = text.span<int32_t>(), which = context.virtual_tokens.span<int32_t>();
  const auto count = static_cast<int64_t>(ids.size());
  for (const AdapterRows& rows : context.adapters) {
    const int64_t known = vocab + rows.adapter->virtual_tokens();
    for (int64_t i = rows.begin; i < std::min(rows.end, count); ++i) {
      int32_t& id = ids[static_cast<size_t>(i)];
      if (id < vocab || id >= known) continue;
      which[static_cast<size_t>(i)] = static_cast<int32_t>(id - vocab);
      id = 0;
    }
  }
  const auto unknown = std::ranges::find_if(ids, [&](int32_t id) { return id >= vocab; });
  if (unknown != ids.end()) {
    throw ShapeError(fmt::format(
        "[adapter] expected tokens below {} or virtual ones of their adapter, got {}", vocab, *unknown));
  }
  return text;
}

Tensor with_virtual_embeddings(const Tensor& x, const ForwardContext& context) {
  return by_virtual_rows(x, context, [](const Adapter& adapter, const Tensor& own, const Tensor& which) {
    return adapter.embeddings(own, which);
  });
}

Tensor with_virtual_keys(int64_t layer, const Tensor& k, const ForwardContext& context) {
  return by_virtual_rows(k, context, [&](const Adapter& adapter, const Tensor& own, const Tensor& which) {
    return adapter.keys(layer, own, which);
  });
}

Tensor with_virtual_values(int64_t layer, const Tensor& v, const ForwardContext& context) {
  return by_virtual_rows(v, context, [&](const Adapter& adapter, const Tensor& own, const Tensor& which) {
    return adapter.values(layer, own, which);
  });
}

}  // namespace quern::nn
