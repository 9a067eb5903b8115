#include "infer/constraint_start.h"

#include <algorithm>

#include "infer/constraint.h"

namespace quern::infer {

std::optional<std::string> ConstraintStart::push(std::string_view spelling) {
  if (hopeless_) return std::nullopt;
  if (spelling.starts_with(kSpecialMark)) spelling.remove_prefix(1);
  for (const AnswerPiece& piece : reasoning_.push(spelling)) {
    if (!piece.is_reasoning) answer_ += piece.text;
  }
  if (trigger_) return find_trigger();
  return reasoning_.in_reasoning() ? std::nullopt : std::optional(std::move(answer_));
}

std::optional<std::string> ConstraintStart::find_trigger() {
  const std::string& text = trigger_->text;
  if (!trigger_->anywhere) {
    answer_.erase(0, answer_.find_first_not_of(" \t\r\n"));
    if (!answer_.starts_with(text)) {
      hopeless_ = !text.starts_with(answer_);
      return std::nullopt;
    }
  }
  const size_t found = answer_.find(text);
  if (found == answer_.npos) {
    answer_.erase(0, answer_.size() - std::min(answer_.size(), text.size() - 1));
    return std::nullopt;
  }
  std::string begun = trigger_->spelled + answer_.substr(found + text.size());
  answer_.clear();
  return begun;
}

}  // namespace quern::infer
