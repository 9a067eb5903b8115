#include "server/multipart.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "server/http_message.h"

namespace quern::server {

namespace {

constexpr size_t kMostParts = 64;
constexpr size_t kMostHeaderBytes = 8 << 10;  // of one part
constexpr size_t kMostBoundary = 70;          // RFC 2046 section 5.1.1

Error malformed(std::string_view what) {
  return make_error(ErrorCode::invalid_argument, fmt::format("the form {}", what),
                    "send multipart/form-data, as curl -F does");
}

bool same(std::string_view a, std::string_view b) {
  constexpr CaseInsensitiveLess less;
  return !less(a, b) && !less(b, a);
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

// The value of a parameter behind the first ';' of `header`: name=value, or name="value" with \" for a quote.
std::optional<std::string> parameter(std::string_view header, std::string_view name) {
  size_t at = header.find(';');
  while (at < header.size()) {
    const size_t equals = header.find('=', at);
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view key = trimmed(header.substr(at + 1, equals - at - 1));
    std::string value;
    at = equals + 1;
    if (at < header.size() && header[at] == '"') {
      for (++at; at < header.size() && header[at] != '"'; ++at) {
        if (header[at] == '\\' && at + 1 < header.size()) ++at;
        value.push_back(header[at]);
      }
      at = header.find(';', at);
    } else {
      const size_t end = std::min(header.find(';', at), header.size());
      value = trimmed(header.substr(at, end - at));
      at = end;
    }
    if (same(key, name)) return value;
  }
  return std::nullopt;
}

// One part, with the headers before its empty line.
Result<FormPart> parse_part(std::string_view part) {
  const size_t end = part.find("\r\n\r\n");
  if (end == std::string_view::npos || end > kMostHeaderBytes) return malformed("has a part without headers");
  std::string_view headers = part.substr(0, end + 2);
  FormPart result{.name = {}, .content = part.substr(end + 4)};
  bool named = false;
  for (size_t line_end; (line_end = headers.find("\r\n")) != std::string_view::npos;
       headers.remove_prefix(line_end + 2)) {
    const std::string_view line = headers.substr(0, line_end);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !same(line.substr(0, colon), "Content-Disposition")) continue;
    if (const auto name = parameter(line, "name")) {
      result.name = *name;
      named = true;
    }
    result.filename = parameter(line, "filename").value_or("");
  }
  if (!named) return malformed("has a part without a name");
  return result;
}

}  // namespace

Result<std::vector<FormPart>> parse_form(std::string_view content_type, std::string_view body) {
  if (!same(trimmed(content_type.substr(0, content_type.find(';'))), "multipart/form-data"))
    return malformed(fmt::format("has the type '{}'", content_type.substr(0, 100)));
  const auto boundary = parameter(content_type, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > kMostBoundary)
    return malformed("does not say what stands between its parts (boundary=...)");
  // The first delimiter may stand at the very beginning; others end the line before them.
  const std::string delimiter = "\r\n--" + *boundary;
  const std::string_view first = std::string_view(delimiter).substr(2);
  size_t at = 0;
  if (!body.starts_with(first)) {
    at = body.find(delimiter);
    if (at == std::string_view::npos) return malformed("does not begin with its boundary");
    at += 2;
  }
  at += first.size();
  std::vector<FormPart> parts;
  while (!body.substr(at).starts_with("--")) {
    const size_t line = body.find("\r\n", at);
    const size_t end = line == std::string_view::npos ? line : body.find(delimiter, line);
    if (end == std::string_view::npos) return malformed("ends in the middle");
    if (parts.size() == kMostParts) return malformed(fmt::format("has more than {} parts", kMostParts));
    QUERN_TRY(FormPart part, parse_part(body.substr(line + 2, end < line + 2 ? 0 : end - line - 2)));
    parts.push_back(std::move(part));
    at = end + delimiter.size();
  }
  return parts;
}

}  // namespace quern::server
