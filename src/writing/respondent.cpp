#include "writing/respondent.h"

#include <algorithm>

#include "data/examples/messages.h"

namespace quern::writing {

Question question(std::string text, uint64_t stream) {
  return {.asked = nlohmann::ordered_json::array({data::message_of("user", text)}), .stream = stream};
}

nlohmann::ordered_json AskOptions::to_json() const {
  return {{"max_tokens", max_tokens},
          {"temperature", temperature},
          {"top_k", top_k},
          {"top_p", top_p},
          {"seed", seed},
          {"choices", choices}};
}

int choice_of(const std::string& token, const std::vector<std::string>& choices) {
  constexpr const char* kAround = " \t\r\n()[]*_\"'.:";
  const size_t begin = token.find_first_not_of(kAround);
  if (begin == std::string::npos) return -1;
  const std::string letter = token.substr(begin, token.find_last_not_of(kAround) + 1 - begin);
  const auto found = std::ranges::find(choices, letter);
  return found == choices.end() ? -1 : static_cast<int>(found - choices.begin());
}

}  // namespace quern::writing
