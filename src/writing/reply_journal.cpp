#include "writing/reply_journal.h"

#include <fmt/format.h>

#include <cerrno>
#include <optional>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"

namespace quern::writing {

namespace {

using Json = nlohmann::ordered_json;

std::string entry_of(const std::string& key, const Reply& reply) {
  Json entry = {{"key", key}, {"text", reply.text}, {"ended", reply.ended}, {"tokens", reply.tokens}};
  if (!reply.choices.empty()) entry["choices"] = reply.choices;
  if (!reply.refusal.empty()) entry["refusal"] = reply.refusal;
  if (!reply.drawn.empty()) entry["drawn"] = reply.drawn;
  return entry.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Reply> reply_from(const nlohmann::json& entry, const std::string& source) {
  Reply reply;
  QUERN_TRY(reply.text, json_get<std::string>(entry, "text", source));
  QUERN_TRY(reply.ended, json_get<bool>(entry, "ended", source));
  QUERN_TRY(reply.tokens, json_get<int64_t>(entry, "tokens", source));
  if (entry.contains("choices")) {
    QUERN_TRY(reply.choices, json_get<std::vector<double>>(entry, "choices", source));
  }
  if (entry.contains("refusal")) {
    QUERN_TRY(reply.refusal, json_get<std::string>(entry, "refusal", source));
  }
  if (entry.contains("drawn")) {
    QUERN_TRY(const auto drawn, json_get<std::vector<int64_t>>(entry, "drawn", source));
    for (const int64_t token : drawn) reply.drawn.push_back(static_cast<int32_t>(token));
  }
  return reply;
}

}  // namespace

Result<ReplyJournal> ReplyJournal::open(const std::filesystem::path& path) {
  ReplyJournal journal(path);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return journal;
  QUERN_TRY(const std::string text, read_file(path, uint64_t{1} << 36));
  const size_t whole = text.rfind('\n') + 1;  // 0 where there is no line at all
  int64_t line = 1;
  for (size_t begin = 0; begin < whole; ++line) {
    const size_t end = text.find('\n', begin);
    const std::string source = fmt::format("{}:{}", path.string(), line);
    QUERN_TRY(const nlohmann::json entry,
              parse_json(std::string_view(text).substr(begin, end - begin), source));
    QUERN_TRY(const std::string key, json_get<std::string>(entry, "key", source));
    QUERN_TRY(journal.replies_[key], reply_from(entry, source));
    begin = end + 1;
  }
  if (whole < text.size()) std::filesystem::resize_file(path, whole, ignored);
  return journal;
}

const Reply* ReplyJournal::find(const std::string& key) const {
  const auto found = replies_.find(key);
  return found == replies_.end() ? nullptr : &found->second;
}

Result<void> ReplyJournal::add(const std::string& key, const Reply& reply) {
  if (!replies_.emplace(key, reply).second) return {};
  return append(entry_of(key, reply));
}

Result<void> ReplyJournal::append(const std::string& line) {
  if (!file_.is_open()) file_.open(path_, std::ios::app | std::ios::binary);
  file_ << line << std::flush;
  if (!file_) return file_error("write", path_, errno);
  return {};
}

Result<void> ReplyJournal::clear() {
  replies_.clear();
  file_.close();
  file_.clear();
  std::error_code error;
  std::filesystem::remove(path_, error);
  if (error) return file_error("remove", path_, error.value());
  return {};
}

Result<std::vector<Reply>> JournaledRespondent::ask(std::span<const Question> questions,
                                                    const AskOptions& options, const Receiver& receive) {
  const std::string how = options.to_json().dump();
  std::vector<Reply> replies(questions.size());
  std::vector<Question> open;
  std::vector<size_t> places;
  std::vector<std::string> keys;
  for (size_t i = 0; i < questions.size(); ++i) {
    const Question& asked = questions[i];
    std::string key = Hasher()
                          .add(name_)
                          .add(how)
                          .add(asked.asked.dump(-1, ' ', false, Json::error_handler_t::replace))
                          .add(asked.tools.dump(-1, ' ', false, Json::error_handler_t::replace))
                          .add(asked.stream)
                          .result()
                          .hex();
    if (const Reply* known = journal_.find(key)) {
      replies[i] = *known;
      receive(i, replies[i]);
      continue;
    }
    open.push_back(asked);
    places.push_back(i);
    keys.push_back(std::move(key));
  }
  if (open.empty()) return replies;
  std::optional<Error> broken;
  const auto write_down = [&](size_t i, const Reply& reply) {
    if (Result<void> added = journal_.add(keys[i], reply); !added.ok() && !broken) broken = added.error();
    receive(places[i], reply);
  };
  Result<std::vector<Reply>> answered = model_.ask(open, options, write_down);
  if (broken) return *broken;
  if (!answered.ok()) return std::move(answered).error();
  for (size_t i = 0; i < places.size(); ++i) replies[places[i]] = std::move((*answered)[i]);
  return replies;
}

}  // namespace quern::writing
