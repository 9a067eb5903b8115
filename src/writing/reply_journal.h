// The journal of a run that asks: every answer is written down as soon as it is there, and a run that is begun again is
// answered from it up to where it ended. So nothing that was obtained is lost, however the run ends, and what follows from
// answers alone need not be saved at all.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "writing/respondent.h"

namespace quern::writing {

// Lines of JSON, each with the key of its question: a hash of what is asked, its stream, the options and the name of the
// respondent. A last line that was cut off is forgotten.
class ReplyJournal {
 public:
  // corrupt for whole lines that are no entries; errors of files.
  static Result<ReplyJournal> open(const std::filesystem::path& path);

  // The reply that was written down; null where there is none.
  const Reply* find(const std::string& key) const;
  Result<void> add(const std::string& key, const Reply& reply);
  // Forgets everything: what was answered is kept elsewhere now.
  Result<void> clear();
  int64_t size() const { return static_cast<int64_t>(replies_.size()); }

 private:
  explicit ReplyJournal(std::filesystem::path path) : path_(std::move(path)) {}
  Result<void> append(const std::string& line);

  std::filesystem::path path_;
  std::map<std::string, Reply> replies_;
  std::ofstream file_;
};

// `model` with a journal. Both must outlive it; several may share a journal when they have other names.
class JournaledRespondent final : public Respondent {
 public:
  JournaledRespondent(Respondent& model, ReplyJournal& journal, std::string name)
      : model_(model), journal_(journal), name_(std::move(name)) {}

  // Questions with the same key are one question. Errors of the model, and of writing.
  using Respondent::ask;
  Result<std::vector<Reply>> ask(std::span<const Question> questions, const AskOptions& options,
                                 const Receiver& receive) override;

 private:
  Respondent& model_;
  ReplyJournal& journal_;
  std::string name_;
};

}  // namespace quern::writing
