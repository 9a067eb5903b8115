// A run that consists of questions to models and of what follows from their answers: answers are written down as they come, and
// a run that was interrupted is run again on them, up to where they end.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"
#include "base/result.h"
#include "recipes/part_files.h"
#include "writing/reply_journal.h"

namespace quern::recipes {

using Rows = std::vector<nlohmann::ordered_json>;
// One line of JSON for each.
std::string lines_of(const Rows& rows);

class AskedRun {
 public:
  // Of FOLDER, whose main result is `name`.jsonl, with `settings` that the answers follow from. conflict as PartFiles::open;
  // unavailable where another process works there.
  static Result<AskedRun> open(const std::filesystem::path& folder, const std::string& name,
                               const nlohmann::ordered_json& settings, bool resume, bool overwrite);

  writing::ReplyJournal& journal() { return journal_; }
  // After an error: where nothing was answered, the next run may start as if this one had not been.
  void give_up();
  // Writes FOLDER/FILE.
  Result<void> write(const std::string& file, const std::string& content) const;
  // Writes the main result, NAME.json with settings and `result`, and takes the journal away.
  Result<void> finish(const Rows& rows, const nlohmann::ordered_json& result);

 private:
  AskedRun(FolderLock lock, PartFiles files, writing::ReplyJournal journal, std::filesystem::path folder,
           std::string name, nlohmann::ordered_json settings);

  FolderLock lock_;
  PartFiles files_;
  writing::ReplyJournal journal_;
  std::filesystem::path folder_;
  std::string name_;
  nlohmann::ordered_json settings_;
};

}  // namespace quern::recipes
