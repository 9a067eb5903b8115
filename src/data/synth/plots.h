// The plots of the synthetic world: stories as lines of phrases, with the questions each can answer.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace quern::data::synth {

// A question and its answer, phrases over the slots of the story's scene.
struct Ask {
  std::string_view kind;  // "who", "what", "where", "colour", "count", "name", "feeling"
  std::string_view question;
  std::string_view answer;
};

struct Plot {
  std::string_view topic;  // "{hero} and a lost {object}": completes "Tell me a story about"
  std::vector<std::string_view> lines;
  std::vector<Ask> asks;
};

// Whole stories of about ten sentences.
std::span<const Plot> plots();

// One thing that is said of one child, in the hero's slots; short stories are made of a few of them for each
// of two children.
struct FactLine {
  std::string_view text;
  std::vector<Ask> asks;
};
std::span<const FactLine> fact_lines();
// Sentences that may stand between facts and say nothing that is asked.
std::span<const std::string_view> fillers();

}  // namespace quern::data::synth
