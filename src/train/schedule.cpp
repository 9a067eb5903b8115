#include "train/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <string_view>

namespace quern::train {

double Schedule::at(int64_t step) const {
  if (step < warmup) return lr * static_cast<double>(step + 1) / static_cast<double>(warmup);
  const int64_t span = std::max<int64_t>(total - warmup, 1);
  const double progress =
      std::clamp(static_cast<double>(step - warmup) / static_cast<double>(span), 0.0, 1.0);
  const auto between = [&](double share) { return lr * (min_ratio + (1.0 - min_ratio) * share); };
  switch (decay) {
    case Decay::constant:
      return lr;
    case Decay::linear:
      return between(1.0 - progress);
    case Decay::cosine:
      return between(0.5 * (1.0 + std::cos(std::numbers::pi * progress)));
    case Decay::wsd: {
      const double tail = std::max<double>(decay_fraction * static_cast<double>(total), 1.0);
      const double into = static_cast<double>(step) - (static_cast<double>(total) - tail);
      return into <= 0.0 ? lr : between(1.0 - std::sqrt(std::min(into / tail, 1.0)));
    }
  }
  return lr;
}

namespace {

// The whole of `text` as a positive integer, or 0.
int64_t positive(std::string_view text) {
  int64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  return status == std::errc() && end == text.data() + text.size() && value > 0 ? value : 0;
}

int64_t non_negative(std::string_view text) {
  return text == "0" ? 0 : (positive(text) > 0 ? positive(text) : -1);
}

}  // namespace

Result<StepValue> StepValue::parse(const std::string& key, const std::string& text) {
  const auto refuse = [&](std::string_view piece) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{}: expected a positive number or value@step pieces, got '{}' in '{}'",
                                  key, piece, text),
                      "for example 64, or 32@0,64@500 to double it from step 500 on");
  };
  StepValue result;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view piece = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(piece.size() + 1, rest.size()));
    const size_t at = piece.find('@');
    const int64_t value = positive(piece.substr(0, at));
    const int64_t first =
        at == std::string_view::npos ? (result.pieces_.empty() ? 0 : -1) : non_negative(piece.substr(at + 1));
    const bool in_order = result.pieces_.empty() ? first == 0 : first > result.pieces_.back().first_step;
    if (value == 0 || !in_order) return refuse(piece);
    result.pieces_.push_back({first, value});
  }
  if (result.pieces_.empty()) return refuse("");
  return result;
}

int64_t StepValue::at(int64_t step) const {
  int64_t value = pieces_.front().value;
  for (const Piece& piece : pieces_) {
    if (step >= piece.first_step) value = piece.value;
  }
  return value;
}

int64_t StepValue::max() const { return std::ranges::max_element(pieces_, {}, &Piece::value)->value; }

std::string StepValue::to_string() const {
  if (pieces_.size() == 1) return std::to_string(pieces_.front().value);
  std::string text;
  for (const Piece& piece : pieces_) {
    text += fmt::format("{}{}@{}", text.empty() ? "" : ",", piece.value, piece.first_step);
  }
  return text;
}

}  // namespace quern::train
