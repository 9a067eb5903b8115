#include "data/synth/phrase.h"

#include <vector>

#include "base/exception.h"

namespace quern::data::synth {

namespace {

bool is_vowel(char c) { return std::string_view("aeiouAEIOU").find(c) != std::string_view::npos; }

class Expander {
 public:
  Expander(const Slots& slots, Rng& rng) : slots_(slots), rng_(rng) {}

  void expand(std::string_view phrase) {
    for (size_t i = 0; i < phrase.size(); ++i) {
      if (phrase[i] == '{') {
        const size_t end = phrase.find('}', i);
        const auto slot =
            end == std::string_view::npos ? slots_.end() : slots_.find(phrase.substr(i + 1, end - i - 1));
        if (slot == slots_.end()) throw InternalError("phrase with an unknown slot: " + std::string(phrase));
        put(slot->second);
        i = end;
      } else if (phrase[i] == '(') {
        const auto choices = choices_at(phrase, i);
        expand(choices[rng_.below(choices.size())]);
      } else {
        put(phrase.substr(i, 1));
      }
    }
  }

  std::string take() { return std::move(text_); }

 private:
  // The choices of the bracket at phrase[at]; moves `at` to its end.
  static std::vector<std::string_view> choices_at(std::string_view phrase, size_t& at) {
    std::vector<std::string_view> choices;
    size_t begin = at + 1;
    int depth = 1;
    for (size_t i = begin; i < phrase.size(); ++i) {
      if (phrase[i] == '(') ++depth;
      if (phrase[i] == ')') --depth;
      if (depth == 0 || (depth == 1 && phrase[i] == '|')) {
        choices.push_back(phrase.substr(begin, i - begin));
        begin = i + 1;
      }
      if (depth == 0) {
        at = i;
        return choices;
      }
    }
    throw InternalError("phrase with an unbalanced bracket: " + std::string(phrase));
  }

  void put(std::string_view piece) {
    if (piece.empty()) return;
    if (is_vowel(piece[0]) && (text_ == "A " || text_.ends_with(" a ") || text_.ends_with(" A ")))
      text_.insert(text_.size() - 1, "n");
    const bool sentence =
        text_.empty() || text_.ends_with(". ") || text_.ends_with("! ") || text_.ends_with("? ");
    text_ += piece;
    char& first = text_[text_.size() - piece.size()];
    if (sentence && first >= 'a' && first <= 'z') first = static_cast<char>(first - 'a' + 'A');
  }

  const Slots& slots_;
  Rng& rng_;
  std::string text_;
};

}  // namespace

std::string expand(std::string_view phrase, const Slots& slots, Rng& rng) {
  Expander expander(slots, rng);
  expander.expand(phrase);
  return expander.take();
}

}  // namespace quern::data::synth
