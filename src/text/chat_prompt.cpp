#include "text/chat_prompt.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>

#include "text/json_fields.h"
#include "text/unicode.h"

namespace quern::text {

namespace {

// Signs of Linear A (U+10600 and on): letters to a template, with no case, and nothing that a text needs all
// of.
constexpr char32_t kFirstSign = 0x10600;
constexpr int kSigns = 300;

bool is_name(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

// What special tokens look like, sorted.
class SpecialTexts {
 public:
  explicit SpecialTexts(std::vector<std::string> texts) : texts_(std::move(texts)) {
    std::erase(texts_, "");
    std::ranges::sort(texts_);
    for (const std::string& text : texts_) first_bytes_.insert(text[0]);
  }

  // Whether one begins with the character at the start of `text`.
  bool may_begin(std::string_view text) const {
    if (!first_bytes_.contains(text[0])) return false;
    const std::string_view character = text.substr(0, decode_utf8(text).length);
    const auto found = std::ranges::lower_bound(texts_, character);
    return found != texts_.end() && found->starts_with(character);
  }
  // Whether one stands at the start of `text`, or could when more text follows.
  bool begins(std::string_view text) const {
    return std::ranges::any_of(
        texts_, [&](const std::string& token) { return token.starts_with(text) || text.starts_with(token); });
  }

 private:
  std::vector<std::string> texts_;
  std::set<char> first_bytes_;
};

// The tags that a template compares text with: its quoted strings that begin like a special token, as far as
// they have no escapes.
std::vector<std::string_view> tags_of(std::string_view source, const SpecialTexts& specials) {
  std::vector<std::string_view> tags;
  for (size_t at = source.find_first_of("'\""); at != source.npos; at = source.find_first_of("'\"", at + 1)) {
    const char stops[] = {source[at], '\\', '\n'};
    const std::string_view rest = source.substr(at + 1);
    const std::string_view tag = rest.substr(0, rest.find_first_of(std::string_view(stops, 3)));
    if (tag.size() > 1 && specials.may_begin(tag)) tags.push_back(tag);
  }
  return tags;
}

// Puts a sign behind every character of a request that a special token could begin with.
class Marker {
 public:
  Marker(std::string sign, const SpecialTexts& specials, std::string_view template_source)
      : sign_(std::move(sign)), specials_(specials), tags_(tags_of(template_source, specials)) {}

  std::string mark(std::string_view text) const {
    std::string marked;
    size_t tag_end = 0;  // of the last tag that began before the current position
    for (size_t at = 0; at < text.size();) {
      const std::string_view rest = text.substr(at);
      const size_t length = decode_utf8(rest).length;
      marked += rest.substr(0, length);
      if (specials_.may_begin(rest)) {
        for (const std::string_view tag : tags_) {
          if (rest.starts_with(tag)) tag_end = std::max(tag_end, at + tag.size());
        }
        if (at >= tag_end || specials_.begins(rest.substr(0, tag_end - at))) marked += sign_;
      }
      at += length;
    }
    return marked;
  }

  Json mark(const Json& json) const {
    if (json.is_string()) return mark(std::string_view(json.get_ref<const std::string&>()));
    if (json.is_array()) {
      Json result = Json::array();
      for (const Json& item : json) result.push_back(mark(item));
      return result;
    }
    if (!json.is_object()) return json;
    Json result = Json::object();
    for (const auto& [name, value] : json.items())
      result[is_name(name) ? name : mark(std::string_view(name))] = mark(value);
    return result;
  }

 private:
  std::string sign_;
  const SpecialTexts& specials_;
  std::vector<std::string_view> tags_;
};

// A sign that occurs neither in the request nor in the template.
Result<std::string> unused_sign(const ChatRequest& request, std::string_view template_source) {
  std::string all(template_source);
  for (const Json* part : {&request.messages, &request.tools, &request.documents, &request.variables})
    all += part->dump(-1, ' ', false, Json::error_handler_t::replace);
  for (int i = 0; i < kSigns; ++i) {
    std::string sign;
    append_utf8(sign, kFirstSign + static_cast<char32_t>(i));
    if (all.find(sign) == all.npos) return sign;
  }
  return make_error(ErrorCode::invalid_argument, "the conversation uses every sign of Linear A",
                    "leave one of U+10600 to U+1072B out");
}

// Takes the signs out again.
ChatPrompt unmark(const jinja::Rendered& rendered, std::string_view sign) {
  ChatPrompt prompt;
  std::vector<size_t> removed;  // where signs stood, in the marked text
  size_t done = 0;
  for (size_t at; (at = rendered.text.find(sign, done)) != std::string::npos; done = at + sign.size()) {
    prompt.text.append(rendered.text, done, at - done);
    removed.push_back(at);
    if (prompt.text.empty()) continue;
    const auto end = static_cast<uint32_t>(prompt.text.size());
    uint32_t begin = end - 1;
    while (begin > 0 && (static_cast<uint8_t>(prompt.text[begin]) & 0xC0) == 0x80) --begin;
    if (prompt.typed.empty() || prompt.typed.back().end <= begin) prompt.typed.push_back({begin, end});
  }
  prompt.text.append(rendered.text, done);
  const auto moved = [&](size_t at) {
    const auto before = std::ranges::lower_bound(removed, at) - removed.begin();
    return at - static_cast<size_t>(before) * sign.size();
  };
  for (const auto& [begin, end] : rendered.generated) prompt.generated.emplace_back(moved(begin), moved(end));
  return prompt;
}

}  // namespace

Result<ChatPrompt> render_prompt(const ChatTemplates& templates, const ChatRequest& request,
                                 const Tokenizer& tokenizer, const jinja::RenderOptions& options) {
  QUERN_TRY(const std::string_view source, templates.source_for(request));
  QUERN_TRY(const std::string sign, unused_sign(request, source));
  const SpecialTexts specials(tokenizer.special_tokens());
  const Marker marker(sign, specials, source);
  ChatRequest marked = request;
  for (Json* part : {&marked.messages, &marked.tools, &marked.documents, &marked.variables})
    *part = marker.mark(*part);
  QUERN_TRY(const jinja::Rendered rendered, templates.render(marked, options));
  return unmark(rendered, sign);
}

}  // namespace quern::text
