#include "data/synth/overlap.h"

#include <xxhash.h>

#include <string>

#include "base/hash.h"

namespace quern::data::synth {

namespace {

constexpr size_t kRun = 8;

// Calls f with every sentence; markers of the chat form end one too.
template <class F>
void each_sentence(std::string_view text, const F& f) {
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    const bool marker = i < text.size() && (text[i] == '<' || text[i] == '>');
    const bool end =
        i == text.size() || marker ||
        (text[i] == ' ' && i > 0 && std::string_view(".!?\"").find(text[i - 1]) != std::string_view::npos);
    if (!end) continue;
    const std::string_view sentence = text.substr(begin, i - begin);
    if (sentence.find(' ') != std::string_view::npos) f(sentence);
    begin = i + 1;
  }
}

// Calls f with every word, letters only.
template <class F>
void each_word(std::string_view text, const F& f) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && is_letter(text[end])) ++end;
    if (end > i) f(text.substr(i, end - i));
    i = end + 1;
  }
}

// Calls f with a hash of every run of kRun words.
template <class F>
void each_run(std::string_view text, const F& f) {
  std::vector<uint64_t> words;
  each_word(text, [&](std::string_view word) { words.push_back(hash64(word)); });
  for (size_t i = 0; i + kRun <= words.size(); ++i) f(XXH3_64bits(&words[i], kRun * sizeof(uint64_t)));
}

// Calls f with everything a user says.
template <class F>
void each_user_turn(std::string_view text, const F& f) {
  constexpr std::string_view kUser = "<|user|>", kAssistant = "<|assistant|>";
  for (size_t at = text.find(kUser); at != std::string_view::npos; at = text.find(kUser, at + 1)) {
    const size_t begin = at + kUser.size();
    f(text.substr(begin, text.find(kAssistant, begin) - begin));
  }
}

double share(int64_t part, int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

void OverlapMeter::add_train(std::string_view document) {
  documents_.insert(hash64(document));
  each_user_turn(document, [&](std::string_view turn) { turns_.insert(hash64(turn)); });
  each_sentence(document, [&](std::string_view sentence) { sentences_.insert(hash64(sentence)); });
  each_run(document, [&](uint64_t run) { runs_.insert(run); });
  each_word(document, [&](std::string_view word) { vocabulary_.insert(hash64(word)), ++words_; });
}

void OverlapMeter::add_held_out(std::string_view document) {
  seen_.documents += static_cast<int64_t>(documents_.count(hash64(document)));
  each_sentence(document, [&](std::string_view sentence) {
    ++held_sentences_;
    seen_sentences_ += static_cast<int64_t>(sentences_.count(hash64(sentence)));
  });
  each_run(document, [&](uint64_t run) {
    ++held_runs_;
    seen_runs_ += static_cast<int64_t>(runs_.count(run));
  });
}

void OverlapMeter::add_question(std::string_view prompt) {
  seen_.questions += static_cast<int64_t>(turns_.count(hash64(prompt)));
}

Overlap OverlapMeter::overlap() const {
  Overlap result = seen_;
  result.sentences = share(seen_sentences_, held_sentences_);
  result.eight_words = share(seen_runs_, held_runs_);
  return result;
}

}  // namespace quern::data::synth
