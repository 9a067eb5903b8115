#include "text/chat_markup.h"

#include <fmt/format.h>

namespace quern::text {

Result<std::string> ChatMarkup::render(const std::vector<ChatTurn>& turns, bool prompt) const {
  std::string text;
  for (const ChatTurn& turn : turns) {
    if (turn.role == "system")
      text += system + turn.content;
    else if (turn.role == "user")
      text += user + turn.content;
    else if (turn.role == "assistant")
      text += assistant + turn.content + end;
    else
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("expected the role system, user or assistant, got \"{}\"", turn.role));
  }
  if (prompt) text += assistant;
  return text;
}

}  // namespace quern::text
