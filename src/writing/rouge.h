// ROUGE-L (Lin 2004, "ROUGE: a package for automatic evaluation of summaries"): how much of two texts is the same words in the
// same order, as the rouge_score package computes it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace quern::writing {

// The words of a text, each as a hash: runs of letters and digits, in small letters. rouge_score knows those of ASCII alone; here
// they are those of any script.
std::vector<uint64_t> words_of(std::string_view text);

// The length of the longest common subsequence. O(a b) time, O(b) memory.
int64_t common_words(std::span<const uint64_t> a, std::span<const uint64_t> b);

// F1 of the longest common subsequence: 2 l / (a + b), 0 where one has no words.
double rouge_l(std::span<const uint64_t> a, std::span<const uint64_t> b);

}  // namespace quern::writing
