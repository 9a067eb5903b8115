// What is always true in the synthetic world, and the arithmetic its children do.
#pragma once

#include <string>
#include <string_view>

#include "base/rng.h"

namespace quern::data::synth {

struct Question {
  std::string prompt;  // what the user says
  std::string answer;
  std::string kind;  // "fact", "sum", ...; for stories see plots.h
  // What was asked for and nothing around it, and a whole sentence that is wrong; empty where there is none.
  std::string curt = {}, wrong = {};
};

// Which part of the world a document may draw from. Every combination (fact and phrasing, numbers and
// phrasing, scene) belongs to one side by its hash; the other side never shows it.
enum class Side { train, held_out };

// True facts of one side. Each fact has several phrasings, all but one of them in training.
Question fact_question(Side side, Rng& rng);
// Sums and differences up to ten, comparison of numbers, and counting of listed things. Every pair of numbers
// occurs in training, in all phrasings but one.
Question number_question(Side side, Rng& rng);
// A sum or difference told as a little story; people, things and numbers together decide the side.
Question story_problem(Side side, Rng& rng);
// Any of these.
Question general_question(Side side, Rng& rng);

}  // namespace quern::data::synth
