#include "data/document_reader.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <system_error>

#include "base/file.h"
#include "data/text_splitter.h"
#include "text/unicode.h"

namespace quern::data {

namespace fs = std::filesystem;

namespace {

enum class FileKind { text, jsonl, other };

// From the ending, looking through .gz and .zst.
FileKind kind_of(fs::path path) {
  if (path.extension() == ".gz" || path.extension() == ".zst") path.replace_extension();
  const std::string ending = path.extension().string();
  if (ending == ".jsonl" || ending == ".ndjson") return FileKind::jsonl;
  if (ending == ".txt" || ending == ".text" || ending == ".md") return FileKind::text;
  return FileKind::other;
}

bool is_blank_text(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

void trim_line_ends(Document& document) {
  const size_t begin = std::min(document.text.find_first_not_of('\n'), document.text.size());
  document.text.erase(0, begin);
  document.text.erase(document.text.find_last_not_of('\n') + 1);
  document.line += static_cast<int64_t>(begin);
}

std::string place(const Document& document, int64_t line) {
  return fmt::format("{}:{}", document.path.string(), line);
}

// Adds the readable files of a folder, sorted by path; counts the others.
Result<void> add_folder(const fs::path& folder, std::vector<fs::path>& files, int64_t& ignored) {
  std::error_code error;
  std::vector<fs::path> found;
  auto entry = fs::recursive_directory_iterator(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const bool hidden = entry->path().filename().string().starts_with('.');
    std::error_code ignored_error;
    if (hidden && entry->is_directory(ignored_error)) entry.disable_recursion_pending();
    if (hidden || !entry->is_regular_file(ignored_error)) continue;
    if (kind_of(entry->path()) == FileKind::other)
      ++ignored;
    else
      found.push_back(entry->path());
  }
  if (error) return file_error("list", folder, error.value());
  std::sort(found.begin(), found.end());
  files.insert(files.end(), found.begin(), found.end());
  return {};
}

}  // namespace

// The file being read.
struct DocumentReader::Current {
  Current(std::unique_ptr<ByteSource> source, fs::path file)
      : splitter(std::move(source)), path(std::move(file)), kind(kind_of(path)) {}

  TextSplitter splitter;
  fs::path path;
  FileKind kind;
  simdjson::dom::parser parser;
};

DocumentReader::DocumentReader(std::vector<fs::path> files, int64_t ignored, ReaderOptions options)
    : files_(std::move(files)), options_(std::move(options)) {
  statistics_.ignored_files = ignored;
}
DocumentReader::~DocumentReader() = default;
DocumentReader::DocumentReader(DocumentReader&&) noexcept = default;
DocumentReader& DocumentReader::operator=(DocumentReader&&) noexcept = default;

Result<DocumentReader> open_corpus(const std::vector<std::string>& paths, ReaderOptions options) {
  if (options.max_document_bytes < std::max<size_t>(options.split_on.size() + 1, 16))
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("longest document: {} bytes are too few", options.max_document_bytes));
  std::vector<fs::path> files;
  int64_t ignored = 0;
  for (const fs::path path : paths) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) return file_error("open", path, error ? error.value() : ENOENT);
    if (fs::is_directory(status)) {
      QUERN_CHECK(add_folder(path, files, ignored));
    } else {
      files.push_back(path);
    }
  }
  if (files.empty())
    return make_error(
        ErrorCode::not_found,
        fmt::format("no text found in {}",
                    paths.empty() ? "an empty list of inputs" : fmt::format("{}", fmt::join(paths, ", "))),
        "expected .txt, .md or .jsonl files, also as .gz or .zst");
  return DocumentReader(std::move(files), ignored, std::move(options));
}

Error empty_corpus(const CorpusStatistics& statistics) {
  return make_error(
      ErrorCode::invalid_argument,
      fmt::format("the corpus is empty: {} files with {} blank documents and {} that are not UTF-8",
                  statistics.files, statistics.blank_documents, statistics.invalid_documents),
      "check the inputs and the policy for text that is not UTF-8");
}

Result<bool> DocumentReader::next(Document& document) {
  for (;;) {
    QUERN_TRY(const bool any, next_piece(document));
    if (!any) return false;
    if (is_blank_text(document.text)) {
      // A blank line between two JSON rows, or at the end of the file, is no document.
      if (current_->kind != FileKind::jsonl) ++statistics_.blank_documents;
      continue;
    }
    QUERN_TRY(const bool valid, make_valid(document));
    if (!valid) continue;
    if (current_->kind == FileKind::jsonl) {
      QUERN_CHECK(extract_json(document));
      if (is_blank_text(document.text)) {
        ++statistics_.blank_documents;
        continue;
      }
    }
    ++statistics_.documents;
    statistics_.bytes += static_cast<int64_t>(document.text.size());
    return true;
  }
}

// The next line of a JSONL file or section of a text file, opening files as needed.
Result<bool> DocumentReader::next_piece(Document& document) {
  for (;;) {
    if (!current_) {
      if (next_file_ == files_.size()) return false;
      const fs::path& path = files_[next_file_];
      QUERN_TRY(std::unique_ptr<ByteSource> source, ByteSource::open(path));
      current_ = std::make_unique<Current>(std::move(source), path);
      ++next_file_;
      ++statistics_.files;
    }
    const bool jsonl = current_->kind == FileKind::jsonl;
    TextSplitter::Piece piece;
    auto any = current_->splitter.next(jsonl ? std::string_view("\n") : options_.split_on,
                                       options_.max_document_bytes, piece);
    if (!any.ok() && any.error().code == ErrorCode::unsupported)
      return std::move(any).error().within(current_->path.string());
    QUERN_TRY(const bool found, std::move(any));
    if (!found) {
      current_.reset();
      continue;
    }
    document.text = std::move(piece.text);
    document.path = current_->path;
    document.line = piece.line;
    if (piece.too_long && jsonl)
      return make_error(ErrorCode::corrupt,
                        fmt::format("{}: a line longer than {} bytes", place(document, piece.line),
                                    options_.max_document_bytes),
                        "a .jsonl file has one JSON object per line; raise the limit if this is one");
    statistics_.cut_documents += piece.too_long;
    if (!jsonl && !options_.split_on.empty() && !piece.too_long) trim_line_ends(document);
    return true;
  }
}

// Applies the policy for text that is not UTF-8; false when the document is left out.
Result<bool> DocumentReader::make_valid(Document& document) {
  if (simdjson::validate_utf8(document.text.data(), document.text.size())) return true;
  ++statistics_.invalid_documents;
  if (options_.invalid_utf8 == InvalidUtf8::skip) return false;
  if (options_.invalid_utf8 == InvalidUtf8::replace) {
    text::Repaired repaired = text::repair_utf8(document.text);
    document.text = std::move(repaired.text);
    statistics_.replacements += static_cast<int64_t>(repaired.replacements);
    return true;
  }
  const auto bad =
      document.text.begin() + static_cast<std::ptrdiff_t>(text::valid_utf8_prefix(document.text));
  const auto line = document.line + std::count(document.text.begin(), bad, '\n');
  return make_error(ErrorCode::corrupt,
                    fmt::format("{}: not valid UTF-8 (byte 0x{:02x})", place(document, line),
                                static_cast<unsigned char>(*bad)),
                    "convert the file with iconv, or choose to replace or skip such text");
}

// Replaces the JSON row in document.text by the text it holds.
Result<void> DocumentReader::extract_json(Document& document) {
  const auto bad = [&](std::string_view what, std::string hint = {}) {
    return make_error(ErrorCode::corrupt, fmt::format("{}: {}", place(document, document.line), what),
                      std::move(hint));
  };
  simdjson::dom::element row;
  if (const auto error = current_->parser.parse(document.text).get(row))
    return bad(fmt::format("not valid JSON: {}", simdjson::error_message(error)),
               "a .jsonl file has one JSON object per line");
  simdjson::dom::object fields;
  if (row.get(fields)) return bad("expected a JSON object", "a row looks like {\"text\": \"...\"}");
  std::string_view text;
  const auto found = fields[options_.text_field].get(text);
  if (!found) {
    document.text = std::string(text);
    return {};
  }
  if (found != simdjson::NO_SUCH_FIELD)
    return bad(fmt::format("field \"{}\": expected a string", options_.text_field));
  simdjson::dom::array messages;
  if (fields["messages"].get(messages))
    return bad(fmt::format("no field \"{}\" and no list \"messages\"", options_.text_field),
               "name the field that holds the text");
  text::ChatRequest request;
  for (const auto message : messages) {
    std::string_view role, content;
    if (message["role"].get(role) || message["content"].get(content))
      return bad("expected each of \"messages\" to have the strings role and content");
    request.messages.push_back({{"role", std::string(role)}, {"content", std::string(content)}});
  }
  auto rendered = options_.chat.render(request);
  if (!rendered.ok()) return std::move(rendered).error().within(place(document, document.line));
  document.text = std::move(rendered->text);
  return {};
}

}  // namespace quern::data
