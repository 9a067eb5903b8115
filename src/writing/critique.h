// Critiques and revisions (the supervised stage of Constitutional AI, arXiv 2212.08073): a model answers, says by a drawn
// principle what is wrong with its answer, and writes a better one, several times.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "align/prompts.h"
#include "writing/constitution.h"
#include "writing/respondent.h"

namespace quern::writing {

struct CritiqueOptions {
  int64_t rounds = 1;    // critiques and revisions of an answer, one after the other
  AskOptions how;        // of all answers
  bool cut_off = false;  // go on with texts that max_tokens ended
};

struct Revision {
  std::string principle, critique, text;
};

// One prompt with what came of it.
struct Revised {
  std::string initial;
  std::vector<Revision> revisions;
  std::string reason, what;  // why it is left out: "refused", "cut_off", "empty"; nothing where it is kept

  bool kept() const { return reason.empty(); }
  // The last revision, or the initial answer.
  const std::string& text() const { return revisions.empty() ? initial : revisions.back().text; }
};

// `prompts` [begin, end). Asks all of them at a time, step by step. A question's stream is a function of prompt and step.
Result<std::vector<Revised>> critique(const align::PromptSet& prompts, int64_t begin, int64_t end,
                                      const Constitution& constitution, const CritiqueOptions& options,
                                      Respondent& model);

// The messages that ask for a critique of `answer`, and for a revision after one.
nlohmann::ordered_json ask_for_critique(const nlohmann::ordered_json& prompt, const std::string& answer,
                                        const Principle& principle);
nlohmann::ordered_json ask_for_revision(nlohmann::ordered_json criticised, const std::string& critique,
                                        const Principle& principle);

}  // namespace quern::writing
