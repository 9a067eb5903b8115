#include "nn/rotary.h"

#include <algorithm>
#include <bit>
#include <string>

#include "base/exception.h"

namespace quern::nn {

namespace {

bool covers(const ops::RopeTable& table, int64_t begin, int64_t end, int64_t length) {
  return table.length() == length && table.begin() <= begin && end <= table.end();
}

}  // namespace

void Rotary::reserve(int64_t begin, int64_t end, int64_t length) {
  if (end > config_.max_positions) {
    throw ShapeError("[rotary] expected positions below " + std::to_string(config_.max_positions) + ", got " +
                     std::to_string(end - 1));
  }
  const int64_t turning = ops::rope_length(config_, length);
  const auto covering = [&](const ops::RopeTable& table) { return covers(table, begin, end, turning); };
  if (std::ranges::any_of(tables_, covering)) return;
  // Angles that the next token will change serve this pass alone; all others start at 0 and grow.
  const bool passing = config_.scaling == ops::RopeScaling::ntk && turning > 1;
  std::erase_if(tables_, [&](const ops::RopeTable& table) {
    return passing ? table.length() > 1 : table.length() == turning;
  });
  if (!passing) {
    const auto rows = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(end, 256))));
    begin = 0;
    end = std::min(rows, config_.max_positions);
  }
  tables_.emplace_back(config_, begin, end, length);
}

Tensor Rotary::forward(const Tensor& x, const ForwardContext& context) const {
  const auto positions = context.positions.span<int32_t>();
  if (positions.empty()) return x;
  const auto [first, last] = std::ranges::minmax(positions);
  const int64_t length = text_length(context);
  for (const ops::RopeTable& table : tables_) {
    if (covers(table, first, last + 1, ops::rope_length(config_, length)))
      return ops::rope(x, context.positions, table);
  }
  return ops::rope(x, context.positions, ops::RopeTable(config_, first, last + 1, length));
}

Tensor Rotary::turned_back(const Tensor& x, int64_t distance, int64_t length) const {
  ops::RopeConfig turn = config_;
  turn.attention_factor = 1.0;  // x has been scaled already
  Tensor positions({x.dim(0), x.dim(1)}, DType::i32);
  positions.fill(static_cast<double>(distance));
  return ops::rope_back(x, positions, ops::RopeTable(turn, distance, distance + 1, length));
}

}  // namespace quern::nn
