#include "recipes/asked_run.h"

#include "base/version.h"

namespace quern::recipes {

namespace fs = std::filesystem;

std::string lines_of(const Rows& rows) {
  std::string text;
  for (const nlohmann::ordered_json& row : rows)
    text += row.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  return text;
}

AskedRun::AskedRun(FolderLock lock, PartFiles files, writing::ReplyJournal journal, fs::path folder,
                   std::string name, nlohmann::ordered_json settings)
    : lock_(std::move(lock)),
      files_(std::move(files)),
      journal_(std::move(journal)),
      folder_(std::move(folder)),
      name_(std::move(name)),
      settings_(std::move(settings)) {}

Result<AskedRun> AskedRun::open(const fs::path& folder, const std::string& name,
                                const nlohmann::ordered_json& settings, bool resume, bool overwrite) {
  QUERN_TRY(FolderLock lock, FolderLock::acquire(folder));
  const fs::path replies = folder / (name + ".part.replies.jsonl");
  PartFiles files{
      .done = folder / (name + ".jsonl"), .state = folder / (name + ".part.json"), .rest = {replies}};
  QUERN_TRY(const auto state, files.open(settings, resume, overwrite));
  QUERN_TRY(writing::ReplyJournal journal, writing::ReplyJournal::open(replies));
  if (!state) {
    const nlohmann::ordered_json begun = {{"settings", settings}};
    QUERN_CHECK(write_file_atomic(files.state, begun.dump(2) + "\n"));
  }
  return AskedRun(std::move(lock), std::move(files), std::move(journal), folder, name, settings);
}

void AskedRun::give_up() {
  if (journal_.size() == 0) files_.forget();
}

Result<void> AskedRun::write(const std::string& file, const std::string& content) const {
  return write_file_atomic(folder_ / file, content);
}

Result<void> AskedRun::finish(const Rows& rows, const nlohmann::ordered_json& result) {
  const nlohmann::ordered_json record = {{"version", version()}, {"settings", settings_}, {"result", result}};
  QUERN_CHECK(write(name_ + ".json", record.dump(2) + "\n"));
  QUERN_CHECK(write(name_ + ".jsonl", lines_of(rows)));
  QUERN_CHECK(journal_.clear());
  files_.forget();
  return {};
}

}  // namespace quern::recipes
