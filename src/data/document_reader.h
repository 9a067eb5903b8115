// DocumentReader: the documents of a corpus, one after another, from .txt and .jsonl files, the same
// compressed with gzip or zstd, and folders of them. Memory is bounded by the longest document, and that by
// an option.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "text/own_chat_form.h"

namespace quern::data {

// One unit of text that has nothing to do with the next; valid UTF-8, never blank.
struct Document {
  std::string text;
  std::filesystem::path path;
  int64_t line = 1;  // where it begins in the (decompressed) file, from 1
};

// What to do with a document that is not valid UTF-8: put U+FFFD for each bad sequence, stop with an error,
// or leave the document out. All three are counted.
enum class InvalidUtf8 { replace, refuse, skip };

struct ReaderOptions {
  // Text files: what stands between two documents; "\n\n" splits at blank lines. Empty: a file is one
  // document.
  // Line ends around such a document are dropped.
  std::string split_on = {};
  // JSONL files: the field with the text. A row without it may have "messages", a list of {role, content}.
  std::string text_field = "text";
  InvalidUtf8 invalid_utf8 = InvalidUtf8::replace;
  // A longer document of a text file is cut after a line end; a longer JSONL line is an error.
  size_t max_document_bytes = size_t{64} << 20;
  text::ChatTemplates chat = text::own_chat_form();  // how "messages" become text
};

struct CorpusStatistics {
  int64_t files = 0;
  int64_t ignored_files = 0;      // in a folder, with another ending
  int64_t documents = 0;          // given out
  int64_t bytes = 0;              // of their text
  int64_t invalid_documents = 0;  // not UTF-8: repaired or left out
  int64_t replacements = 0;       // U+FFFD put in
  int64_t blank_documents = 0;    // left out
  int64_t cut_documents = 0;      // longer than the limit
};

// The error of a corpus that turned out to have no documents.
Error empty_corpus(const CorpusStatistics& statistics);

// Not thread-safe.
class DocumentReader {
 public:
  ~DocumentReader();
  DocumentReader(DocumentReader&&) noexcept;
  DocumentReader& operator=(DocumentReader&&) noexcept;

  // The next document; false when the corpus is over. Errors name file and line: io, corrupt (compressed
  // data, JSON, UTF-8 when refused), invalid_argument (no such field).
  Result<bool> next(Document& document);

  const CorpusStatistics& statistics() const { return statistics_; }
  // The files that are read, in their order.
  const std::vector<std::filesystem::path>& files() const { return files_; }
  const ReaderOptions& options() const { return options_; }

 private:
  friend Result<DocumentReader> open_corpus(const std::vector<std::string>& paths, ReaderOptions options);
  struct Current;
  DocumentReader(std::vector<std::filesystem::path> files, int64_t ignored, ReaderOptions options);
  Result<bool> next_piece(Document& document);
  Result<bool> make_valid(Document& document);
  Result<void> extract_json(Document& document);

  std::vector<std::filesystem::path> files_;
  ReaderOptions options_;
  CorpusStatistics statistics_;
  size_t next_file_ = 0;
  std::unique_ptr<Current> current_;
};

// Files are read in the order given, a folder's recursively in the order of their names, leaving out hidden
// ones and endings other than .txt, .text, .md, .jsonl, .ndjson and these with .gz or .zst. A file named
// directly is read as text whatever its ending, unless that says JSONL. not_found when a path does not exist
// or no file is left.
Result<DocumentReader> open_corpus(const std::vector<std::string>& paths, ReaderOptions options = {});

}  // namespace quern::data
