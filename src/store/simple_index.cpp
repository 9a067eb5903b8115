#include "store/simple_index.h"

#include <algorithm>
#include <charconv>

#include "base/ascii.h"
#include "base/json.h"
#include "store/safe_path.h"
#include "store/sha256.h"

namespace quern::store {

namespace {

bool is_file_name(std::string_view name) {
  return is_safe_path(name) && name.find('/') == std::string_view::npos;
}

// &amp; &quot; &lt; &gt; &#39; &#x27; as found in links; any other '&' stays.
std::string unescaped(std::string_view text) {
  constexpr std::pair<std::string_view, char> kNames[] = {{"&amp;", '&'}, {"&quot;", '"'}, {"&lt;", '<'},
                                                          {"&gt;", '>'},  {"&#39;", '\''}, {"&#x27;", '\''}};
  std::string result;
  while (!text.empty()) {
    const auto found =
        std::ranges::find_if(kNames, [&](const auto& entity) { return text.starts_with(entity.first); });
    if (found != std::end(kNames)) {
      result += found->second;
      text.remove_prefix(found->first.size());
    } else {
      result += text.front();
      text.remove_prefix(1);
    }
  }
  return result;
}

struct Attribute {
  std::string name;  // to_lower case
  std::string value;
};

// The attributes of a tag; `inside` is what stands between its name and '>'.
std::vector<Attribute> attributes_of(std::string_view inside) {
  std::vector<Attribute> attributes;
  size_t i = 0;
  const auto skip_spaces = [&] {
    while (i < inside.size() && (is_space(inside[i]) || inside[i] == '/')) ++i;
  };
  for (skip_spaces(); i < inside.size(); skip_spaces()) {
    const size_t begin = i;
    while (i < inside.size() && !is_space(inside[i]) && inside[i] != '=') ++i;
    Attribute attribute{to_lower(inside.substr(begin, i - begin)), {}};
    skip_spaces();
    if (i < inside.size() && inside[i] == '=') {
      ++i;
      skip_spaces();
      const bool quoted = i < inside.size() && (inside[i] == '"' || inside[i] == '\'');
      const char quote = quoted ? inside[i++] : ' ';
      const size_t start = i;
      while (i < inside.size() && (quoted ? inside[i] != quote : !is_space(inside[i]))) ++i;
      attribute.value = unescaped(inside.substr(start, i - start));
      if (quoted && i < inside.size()) ++i;
    }
    attributes.push_back(std::move(attribute));
  }
  return attributes;
}

// The '>' that ends the tag at the beginning of `text`, outside of quotes.
size_t end_of_tag(std::string_view text) {
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quote != 0) {
      if (text[i] == quote) quote = 0;
    } else if (text[i] == '"' || text[i] == '\'') {
      quote = text[i];
    } else if (text[i] == '>') {
      return i;
    }
  }
  return std::string_view::npos;
}

std::string sha256_in(std::string_view fragment) {
  constexpr std::string_view kMark = "sha256=";
  const size_t at = fragment.find(kMark);
  if (at == std::string_view::npos) return {};
  const std::string digits = to_lower(fragment.substr(at + kMark.size(), 64));
  return is_sha256(digits) ? digits : std::string();
}

}  // namespace

Result<std::vector<IndexFile>> parse_simple_json(std::string_view text, const Url& base) {
  const std::string source = base.display();
  QUERN_TRY(const nlohmann::json document, parse_json(text, source));
  const auto list = document.is_object() ? document.find("files") : document.end();
  if (list == document.end() || !list->is_array()) {
    return make_error(ErrorCode::corrupt, source + ": files: expected a list, as in PEP 691");
  }
  std::vector<IndexFile> files;
  for (const nlohmann::json& entry : *list) {
    const auto name = json_get<std::string>(entry, "filename", source);
    const auto link = json_get<std::string>(entry, "url", source);
    if (!name.ok() || !link.ok() || !is_file_name(*name)) continue;
    Result<Url> url = join_url(base, *link);
    if (!url.ok()) continue;
    IndexFile file{.name = *name, .url = *std::move(url), .sha256 = {}, .size = {}};
    if (const auto digest = json_get<std::string>(entry, "hashes.sha256", source); digest.ok()) {
      if (is_sha256(*digest)) file.sha256 = to_lower(*digest);
    }
    if (const auto size = json_get<uint64_t>(entry, "size", source); size.ok()) file.size = *size;
    // false, true, or the reason as text.
    if (const auto yanked = entry.find("yanked"); yanked != entry.end())
      file.yanked = yanked->is_string() || (yanked->is_boolean() && yanked->get<bool>());
    files.push_back(std::move(file));
  }
  return files;
}

std::vector<IndexFile> parse_simple_html(std::string_view text, const Url& base) {
  std::vector<IndexFile> files;
  while (true) {
    const size_t open = text.find('<');
    if (open == std::string_view::npos) return files;
    text.remove_prefix(open + 1);
    if (text.size() < 2 || (text[0] != 'a' && text[0] != 'A') || !is_space(text[1])) continue;
    const size_t end = end_of_tag(text);
    if (end == std::string_view::npos) return files;
    const std::vector<Attribute> attributes = attributes_of(text.substr(1, end - 1));
    text.remove_prefix(end + 1);
    const auto href = std::ranges::find(attributes, "href", &Attribute::name);
    if (href == attributes.end()) continue;
    Result<Url> url = join_url(base, href->value);
    if (!url.ok() || !is_file_name(url->file_name())) continue;
    IndexFile file{.name = url->file_name(), .url = *url, .sha256 = sha256_in(url->fragment), .size = {}};
    file.yanked = std::ranges::find(attributes, "data-yanked", &Attribute::name) != attributes.end();
    files.push_back(std::move(file));
  }
}

}  // namespace quern::store
