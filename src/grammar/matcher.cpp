#include "grammar/matcher.h"

#include <algorithm>
#include <array>

namespace quern::grammar {

bool Matcher::accept(std::string_view bytes) {
  if (ended_) return false;
  const size_t before = stack_.depth();
  for (const char byte : bytes) {
    if (stack_.push(static_cast<uint8_t>(byte))) continue;
    stack_.pop_to(before);
    return false;
  }
  steps_.push_back(before);
  return true;
}

bool Matcher::accept_token(TokenId id) {
  if (!masks_->vocabulary().is_end(id)) {
    const std::string_view spelling = masks_->vocabulary().spelling(id);
    return !spelling.empty() && accept(spelling);
  }
  if (ended_ || !can_end()) return false;
  steps_.push_back(stack_.depth());
  return ended_ = true;
}

void Matcher::rollback(size_t count) {
  if (count == 0) return;
  const size_t left = steps_.size() - count;
  stack_.pop_to(steps_[left]);
  steps_.resize(left);
  ended_ = false;
}

bool Matcher::is_complete() const {
  const auto goes_on = [&](const ParseStack::Item& item) {
    return item.state != Grammar::kEnd && !stack_.grammar().bytes(stack_.grammar().state(item.state)).empty();
  };
  return ended_ || (can_end() && std::ranges::none_of(stack_.items(), goes_on));
}

std::string Matcher::forced_bytes(size_t limit) {
  std::string forced;
  const size_t before = stack_.depth();
  std::array<bool, 256> next{};
  while (forced.size() < limit && !ended_ && !can_end()) {
    stack_.next_bytes(next);
    if (std::ranges::count(next, true) != 1) break;
    const auto byte = static_cast<uint8_t>(std::ranges::find(next, true) - next.begin());
    if (!stack_.push(byte)) break;
    forced += static_cast<char>(byte);
  }
  stack_.pop_to(before);
  return forced;
}

Result<void> Matcher::fill_mask(std::span<uint64_t> bits) {
  if (!ended_) return masks_->fill(stack_, bits);
  std::ranges::fill(bits, 0);
  return {};
}

}  // namespace quern::grammar
