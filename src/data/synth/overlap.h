// How much of the held-out texts the training texts give away.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "data/synth/corpus.h"

namespace quern::data::synth {

// Collects hashes of 64 bits of every training document, user turn, sentence and run of eight words. Feed all
// training texts, then the held-out ones. Not thread-safe.
class OverlapMeter {
 public:
  void add_train(std::string_view document);
  void add_held_out(std::string_view document);
  void add_question(std::string_view prompt);

  Overlap overlap() const;
  int64_t words() const { return words_; }
  int64_t vocabulary() const { return static_cast<int64_t>(vocabulary_.size()); }

 private:
  using Hashes = std::unordered_set<uint64_t>;
  Hashes documents_, turns_, sentences_, runs_, vocabulary_;
  int64_t words_ = 0;
  Overlap seen_;  // documents and questions
  int64_t held_sentences_ = 0, seen_sentences_ = 0, held_runs_ = 0, seen_runs_ = 0;
};

}  // namespace quern::data::synth
