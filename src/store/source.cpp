#include "store/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace quern::store {

namespace {

constexpr const char* kForms =
    "a source is hf:ORG/REPO[@REVISION][:FILE-or-QUANT], https://..., pypi:PACKAGE[==VERSION][:FILE], or the "
    "path of a file or folder";

// What hubs and package indexes allow in names; never a path upwards.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 96 && text.front() != '.' && text.front() != '-' &&
         std::ranges::all_of(text, [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_';
         });
}

bool is_repo(std::string_view text) {
  const size_t slash = text.find('/');
  return slash != std::string_view::npos && is_name(text.substr(0, slash)) && is_name(text.substr(slash + 1));
}

// Cuts `text` at the first `mark` and returns what stood behind it; nothing where there is no mark.
std::string cut(std::string_view& text, std::string_view mark) {
  const size_t at = text.find(mark);
  if (at == std::string_view::npos) return {};
  std::string behind(text.substr(at + mark.size()));
  text = text.substr(0, at);
  return behind;
}

Error wrong(std::string_view text, std::string_view reason) {
  return make_error(ErrorCode::invalid_argument, fmt::format("'{}': {}", text, reason), kForms);
}

Source source_of(SourceKind kind, std::string_view text) {
  Source source;
  source.kind = kind;
  source.text = text;
  return source;
}

// What stands behind "hf:" or "pypi:": NAME, `version_mark` and a revision, a colon and a selector.
Result<Source> parse_named(SourceKind kind, std::string_view text, std::string_view version_mark,
                           bool (*fits)(std::string_view), std::string_view expected) {
  const size_t begin = text.find(':') + 1;
  std::string_view rest = text.substr(begin);
  Source source = source_of(kind, text);
  source.selector = cut(rest, ":");
  source.revision = cut(rest, version_mark);
  source.name = rest;
  if (!fits(rest))
    return wrong(text,
                 fmt::format("expected {} after '{}', got '{}'", expected, text.substr(0, begin), rest));
  // Marks without anything behind them ("hf:org/repo@") are slips, not empty choices.
  if (text.ends_with(':') || text.ends_with(version_mark))
    return wrong(text, fmt::format("nothing stands behind the last '{}'", text.back()));
  return source;
}

Result<Source> parse_web(std::string_view text) {
  QUERN_TRY(Url url, parse_url(text));
  if (url.file_name().empty()) return wrong(text, "the address of a file was expected, got that of a folder");
  Source source = source_of(SourceKind::web, text);
  source.url = std::move(url);
  return source;
}

}  // namespace

Result<Source> parse_source(std::string_view text) {
  if (text.starts_with("hf:")) return parse_named(SourceKind::hub, text, "@", is_repo, "ORG/REPO");
  if (text.starts_with("pypi:")) return parse_named(SourceKind::package, text, "==", is_name, "a package");
  if (text.starts_with("https://") || text.starts_with("http://")) return parse_web(text);
  if (text.empty()) return wrong(text, "expected a source, got nothing");
  std::error_code ignored;
  if (std::filesystem::exists(text, ignored)) {
    Source source = source_of(SourceKind::local, text);
    source.path = text;
    return source;
  }
  if (text.find(':') != std::string_view::npos) return wrong(text, "not a source, and no such file");
  return make_error(ErrorCode::not_found, fmt::format("'{}': no such file or folder", text),
                    is_repo(text) ? fmt::format("did you mean 'hf:{}'?", text) : kForms);
}

}  // namespace quern::store
