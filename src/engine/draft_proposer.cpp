#include "engine/draft_proposer.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <numeric>
#include <utility>

#include "base/threads.h"
#include "ops/kv_store.h"

namespace quern::engine {

namespace {

constexpr int64_t kMostRead = 512;  // tokens of prompts in one call

Result<void> check_tokens(const text::Tokenizer& draft, const text::Tokenizer& target) {
  constexpr std::string_view kHint = "take a smaller model of the same family";
  if (draft.vocab_size() != target.vocab_size()) {
    return make_error(ErrorCode::conflict,
                      fmt::format("the draft model has {} tokens, and the model it guesses for has {}",
                                  draft.vocab_size(), target.vocab_size()),
                      std::string(kHint));
  }
  for (int32_t id = 0; id < target.vocab_size(); ++id) {
    const auto guessed = draft.id_to_token(id), expected = target.id_to_token(id);
    if (guessed == expected) continue;
    return make_error(ErrorCode::conflict,
                      fmt::format("token {} is '{}' in the draft model, and '{}' in the model it guesses for",
                                  id, guessed.value_or(""), expected.value_or("")),
                      std::string(kHint));
  }
  return {};
}

}  // namespace

// A sequence while its next tokens are guessed.
struct DraftProposer::Run {
  Guess* guess = nullptr;
  Text* text = nullptr;
  infer::TokenChooser chooser;
  std::vector<int32_t> tokens;  // of the sequence and its guesses
  int64_t count = 0;            // to be computed now
  bool done = false;

  bool ready() const {
    return static_cast<int64_t>(text->tokens.size()) + count == static_cast<int64_t>(tokens.size());
  }
  void choose(std::span<const float> logits, int64_t vocab);
};

Result<std::unique_ptr<Proposer>> DraftProposer::create(std::shared_ptr<const infer::LoadedModel> draft,
                                                        const infer::LoadedModel& target, int64_t blocks) {
  QUERN_CHECK(check_model(draft->model));
  QUERN_CHECK(check_tokens(draft->tokenizer, target.tokenizer));
  return std::unique_ptr<Proposer>(
      new DraftProposer(std::move(draft), target.model.config().vocab_size, blocks));
}

DraftProposer::DraftProposer(std::shared_ptr<const infer::LoadedModel> draft, int64_t vocab, int64_t blocks)
    : draft_(std::move(draft)),
      vocab_(std::min(vocab, draft_->model.config().vocab_size)),
      runner_(draft_->model, blocks),
      empty_(static_cast<size_t>(blocks)) {
  std::iota(empty_.rbegin(), empty_.rend(), 0);
}

void DraftProposer::look(Guess& guess) {
  const auto count = static_cast<int64_t>(guess.tokens.size());
  guess.most = std::clamp<int64_t>(draft_->model.config().max_positions - count, 0, guess.most);
  const auto found = texts_.find(guess.id);
  const auto read = found == texts_.end() ? 0 : static_cast<int64_t>(found->second.tokens.size());
  guess.unread = std::max<int64_t>(count - read, 1);
}

bool DraftProposer::make_room(Text& text, int64_t tokens) {
  const auto needed = static_cast<size_t>(ops::kv_blocks_for(tokens));
  if (needed > text.blocks.size() + empty_.size()) return false;
  for (; text.blocks.size() < needed; empty_.pop_back()) text.blocks.push_back(empty_.back());
  return true;
}

// What was guessed wrong is forgotten; the last token is always computed, for its logits.
std::vector<DraftProposer::Run> DraftProposer::begin(std::span<Guess*> guesses) {
  std::vector<Run> runs;
  int64_t budget = kMostRead;
  for (Guess* guess : guesses) {
    const auto known = static_cast<int64_t>(guess->tokens.size());
    Text& text = texts_[guess->id];
    if (budget == 0 || !make_room(text, known + guess->most)) continue;
    const auto same = std::ranges::mismatch(text.tokens, guess->tokens).in1 - text.tokens.begin();
    text.tokens.resize(static_cast<size_t>(std::min<int64_t>(same, known - 1)));
    const auto unread = guess->tokens.subspan(text.tokens.size());
    // Vocabularies may be padded differently.
    if (std::ranges::any_of(unread, [&](int32_t token) { return token >= vocab_; })) continue;
    runs.push_back({.guess = guess,
                    .text = &text,
                    .chooser = *guess->chooser,
                    .tokens = {guess->tokens.begin(), guess->tokens.end()},
                    .count = std::min(static_cast<int64_t>(unread.size()), budget)});
    budget -= runs.back().count;
  }
  return runs;
}

void DraftProposer::Run::choose(std::span<const float> logits, int64_t vocab) try {
  const int32_t token = chooser.choose(logits.first(static_cast<size_t>(vocab)), tokens).id;
  done = chooser.ends(token);
  if (done) return;
  guess->drafts.push_back(token);
  tokens.push_back(token);
  count = 1;
  done = static_cast<int64_t>(guess->drafts.size()) == guess->most || chooser.is_complete();
} catch (const std::exception&) {
  done = true;  // the sequence will find out itself
}

// Computes the tokens of each run that are to be, and lets it choose the next where these were all.
void DraftProposer::advance(std::vector<Run>& runs) {
  std::vector<ModelRunner::Row> rows;
  rows.reserve(runs.size());
  for (const Run& run : runs) {
    rows.push_back({.tokens = run.tokens,
                    .blocks = run.text->blocks,
                    .begin = static_cast<int64_t>(run.text->tokens.size()),
                    .count = run.count,
                    .wanted = 1});
  }
  const Tensor logits = runner_.run(rows);
  parallel_for(static_cast<int64_t>(runs.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Run& run = runs[static_cast<size_t>(i)];
      const auto read = run.tokens.begin() + static_cast<std::ptrdiff_t>(run.text->tokens.size());
      run.done = !run.ready();
      run.text->tokens.insert(run.text->tokens.end(), read, read + run.count);
      if (!run.done) run.choose(logits.sliced(i, i + 1).span<float>(), vocab_);
    }
  });
  std::erase_if(runs, [](const Run& run) { return run.done; });
}

// Where it fails, for want of memory say, there are fewer guesses.
void DraftProposer::propose(std::span<Guess*> guesses) try {
  for (std::vector<Run> runs = begin(guesses); !runs.empty();) advance(runs);
} catch (const std::exception&) {
}

void DraftProposer::forget(SequenceId id) {
  const auto found = texts_.find(id);
  if (found == texts_.end()) return;
  empty_.insert(empty_.end(), found->second.blocks.begin(), found->second.blocks.end());
  texts_.erase(found);
}

}  // namespace quern::engine
