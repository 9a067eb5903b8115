#include "infer/reasoning.h"

#include <algorithm>
#include <array>
#include <utility>

#include "infer/open_suffix.h"

namespace quern::infer {

namespace {

struct Tags {
  std::string_view open, close;
};
constexpr std::array<Tags, 6> kTags = {{{"<think>", "</think>"},
                                        {"<thinking>", "</thinking>"},
                                        {"<thought>", "</thought>"},
                                        {"<seed:think>", "</seed:think>"},
                                        {"[THINK]", "[/THINK]"},
                                        {"<|START_THINKING|>", "<|END_THINKING|>"}}};
constexpr std::string_view kSpace = " \t\r\n";

std::string_view without_leading_space(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(kSpace), text.size()));
}

}  // namespace

ReasoningSplitter::ReasoningSplitter(std::string_view prompt) {
  const size_t last = prompt.find_last_not_of(kSpace);
  prompt = prompt.substr(0, last == prompt.npos ? 0 : last + 1);
  for (const Tags& tags : kTags) {
    if (!prompt.ends_with(tags.open)) continue;
    state_ = State::reasoning;
    close_ = tags.close;
  }
}

// Makes of held_ what can be made; false when more text is needed.
bool ReasoningSplitter::step(std::vector<AnswerPiece>& pieces) {
  const auto give = [&](size_t bytes, bool is_reasoning) {
    if (bytes > 0) pieces.push_back({held_.substr(0, bytes), is_reasoning});
    held_.erase(0, bytes);
  };
  if (held_.empty()) return false;
  switch (state_) {
    case State::before: {
      const std::string_view text = without_leading_space(held_);
      for (const Tags& tags : kTags) {
        if (text.starts_with(tags.open)) {
          held_ = text.substr(tags.open.size());
          close_ = tags.close;
          state_ = State::reasoning;
          return true;
        }
      }
      if (std::ranges::any_of(kTags, [&](const Tags& tags) { return tags.open.starts_with(text); }))
        return false;
      state_ = State::answer;
      return true;
    }
    case State::reasoning: {
      const size_t end = held_.find(close_);
      if (end == held_.npos) {
        give(held_.size() - open_suffix(held_, close_), true);
        return false;
      }
      give(end, true);
      held_.erase(0, close_.size());
      state_ = State::gap;
      return true;
    }
    case State::gap:
      held_ = without_leading_space(held_);
      if (!held_.empty()) state_ = State::answer;
      return !held_.empty();
    case State::answer:
      give(held_.size(), false);
      return false;
  }
  return false;
}

std::vector<AnswerPiece> ReasoningSplitter::push(std::string_view piece) {
  held_ += piece;
  std::vector<AnswerPiece> pieces;
  while (step(pieces)) {
  }
  return pieces;
}

std::vector<AnswerPiece> ReasoningSplitter::finish() {
  std::vector<AnswerPiece> pieces;
  if (!held_.empty() && state_ != State::gap) {
    pieces.push_back({std::exchange(held_, {}), state_ == State::reasoning});
  }
  return pieces;
}

}  // namespace quern::infer
