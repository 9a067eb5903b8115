#include "writing/critique.h"

#include <fmt/format.h>

#include "base/ascii.h"
#include "data/examples/messages.h"

namespace quern::writing {

namespace {

// Streams of a prompt: 0 for its answer, then two for each round.
constexpr int64_t kStreams = 4096;

class Critique {
 public:
  Critique(const align::PromptSet& prompts, int64_t begin, int64_t end, const Constitution& constitution,
           const CritiqueOptions& options, Respondent& model)
      : prompts_(prompts),
        begin_(begin),
        constitution_(constitution),
        options_(options),
        model_(model),
        all_(static_cast<size_t>(end - begin)),
        conversations_(all_.size()) {}

  Result<std::vector<Revised>> run() {
    for (size_t i = 0; i < all_.size(); ++i) conversations_[i] = prompt(i).asked;
    QUERN_CHECK(step(0, [&](size_t i, std::string text) { all_[i].initial = std::move(text); }));
    for (int64_t round = 0; round < options_.rounds; ++round) {
      for (size_t i = 0; i < all_.size(); ++i)
        conversations_[i] = ask_for_critique(prompt(i).asked, all_[i].text(), principle(i, round));
      QUERN_CHECK(step(2 * round + 1, [&](size_t i, std::string text) {
        all_[i].revisions.push_back({principle(i, round).name, std::move(text), {}});
      }));
      for (size_t i = 0; i < all_.size(); ++i)
        if (all_[i].kept())
          conversations_[i] = ask_for_revision(std::move(conversations_[i]),
                                               all_[i].revisions.back().critique, principle(i, round));
      QUERN_CHECK(step(2 * round + 2,
                       [&](size_t i, std::string text) { all_[i].revisions.back().text = std::move(text); }));
    }
    return std::move(all_);
  }

 private:
  const align::Prompt& prompt(size_t i) const { return prompts_[begin_ + static_cast<int64_t>(i)]; }
  const Principle& principle(size_t i, int64_t round) const {
    return constitution_.drawn(options_.how.seed, static_cast<uint64_t>(begin_) + i,
                               static_cast<uint64_t>(round));
  }

  // Asks the conversations of the prompts that are still kept; `take` gets what is said.
  template <class Take>
  Result<void> step(int64_t number, const Take& take) {
    std::vector<Question> questions;
    std::vector<size_t> places;
    for (size_t i = 0; i < all_.size(); ++i) {
      if (!all_[i].kept()) continue;
      const int64_t stream = (begin_ + static_cast<int64_t>(i)) * kStreams + number;
      questions.push_back({conversations_[i], prompt(i).tools, static_cast<uint64_t>(stream)});
      places.push_back(i);
    }
    QUERN_TRY(std::vector<Reply> replies, model_.ask(questions, options_.how));
    for (size_t j = 0; j < places.size(); ++j) {
      Revised& revised = all_[places[j]];
      const char* const what = number == 0 ? "the answer" : number % 2 == 1 ? "the critique" : "the revision";
      std::string text(trimmed(replies[j].text));
      if (!replies[j].refusal.empty()) {
        revised.reason = "refused", revised.what = fmt::format("{}: {}", what, replies[j].refusal);
      } else if (!replies[j].ended && !options_.cut_off) {
        revised.reason = "cut_off", revised.what = fmt::format("{} was cut off by max_tokens", what);
      } else if (text.empty()) {
        revised.reason = "empty", revised.what = fmt::format("{} is empty", what);
      } else {
        take(places[j], std::move(text));
      }
    }
    return {};
  }

  const align::PromptSet& prompts_;
  int64_t begin_;
  const Constitution& constitution_;
  const CritiqueOptions& options_;
  Respondent& model_;
  std::vector<Revised> all_;
  std::vector<nlohmann::ordered_json> conversations_;
};

}  // namespace

nlohmann::ordered_json ask_for_critique(const nlohmann::ordered_json& prompt, const std::string& answer,
                                        const Principle& principle) {
  nlohmann::ordered_json messages = prompt;
  messages.push_back(data::message_of("assistant", answer));
  messages.push_back(data::message_of("user", principle.critique));
  return messages;
}

nlohmann::ordered_json ask_for_revision(nlohmann::ordered_json criticised, const std::string& critique,
                                        const Principle& principle) {
  criticised.push_back(data::message_of("assistant", critique));
  criticised.push_back(data::message_of("user", principle.revision));
  return criticised;
}

Result<std::vector<Revised>> critique(const align::PromptSet& prompts, int64_t begin, int64_t end,
                                      const Constitution& constitution, const CritiqueOptions& options,
                                      Respondent& model) {
  return Critique(prompts, begin, end, constitution, options, model).run();
}

}  // namespace quern::writing
