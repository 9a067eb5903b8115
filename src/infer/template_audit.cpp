#include "infer/template_audit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "infer/template_probe.h"

namespace quern::infer {

namespace {

using Kind = Finding::Kind;

std::string token_name(const text::Tokenizer& tokenizer, int32_t id) {
  return tokenizer.id_to_token(id).value_or(fmt::format("token {}", id));
}

// What the form of special tokens marks in `text`: <|...|>, its full-width sister of DeepSeek, and
// <start_of_turn>.
std::set<std::string> special_looking(std::string_view text) {
  constexpr size_t kLongest = 64;
  constexpr std::string_view kWideBar = "\uFF5C";
  std::set<std::string> found;
  for (size_t at = text.find('<'); at != text.npos; at = text.find('<', at + 1)) {
    const std::string_view rest = text.substr(at, kLongest);
    const std::string_view tag = rest.substr(0, rest.find('>') + 1);  // empty without an end
    if (tag.size() < 4 || tag.find_first_of(" \n\t") != tag.npos) continue;
    const std::string_view inner = tag.substr(1, tag.size() - 2);
    const bool barred = (inner.starts_with('|') && inner.ends_with('|')) ||
                        (inner.starts_with(kWideBar) && inner.ends_with(kWideBar));
    if (barred || inner.find("_of_") != inner.npos) found.emplace(tag);
  }
  return found;
}

class Audit {
 public:
  explicit Audit(const Language& language) : language_(language), tokenizer_(language.tokenizer) {}

  std::vector<Finding> run() {
    check_listed_ends();
    if (language_.templates.empty()) return std::move(findings_);
    const auto probe = probe_template(language_.templates, tokenizer_);
    if (!probe.ok()) {
      add(Kind::refused, "the chat template refuses a question and its answer: {}", probe.error().message);
      return std::move(findings_);
    }
    check_beginning(*probe);
    check_end(*probe);
    check_tokens(*probe);
    check_round_trip(*probe);
    return std::move(findings_);
  }

 private:
  template <class... Args>
  void add(Kind kind, fmt::format_string<Args...> format, Args&&... args) {
    findings_.push_back({kind, fmt::format(format, std::forward<Args>(args)...)});
  }

  void check_listed_ends() {
    for (const int32_t id : language_.listed_ends) {
      if (!tokenizer_.id_to_token(id)) {
        add(Kind::unknown_end, "the model's files list {} as an end token, but the vocabulary has {} tokens",
            id, tokenizer_.vocab_size());
      }
    }
  }

  void check_beginning(const TemplateProbe& probe) {
    if (!probe.begins_with_bos) return;
    const std::string bos = token_name(tokenizer_, probe.tokens[0]);
    if (probe.tokens.size() > 1 && probe.tokens[1] == probe.tokens[0]) {
      add(Kind::double_bos, "the chat template begins prompts with {} twice", bos);
    } else if (adds_bos(tokenizer_)) {
      add(Kind::bos_written,
          "the chat template writes {} and the tokenizer adds it to texts: prompts have that of the template "
          "only",
          bos);
    }
  }

  void check_end(const TemplateProbe& probe) {
    if (!probe.turn_end) {
      add(Kind::no_turn_end,
          "the chat template writes no token after an answer, so the model may never have learnt to end one");
      return;
    }
    const auto& listed = language_.listed_ends;
    if (std::ranges::find(listed, *probe.turn_end) != listed.end()) return;
    std::vector<std::string> names;
    for (const int32_t id : listed) names.push_back(token_name(tokenizer_, id));
    add(Kind::unlisted_end,
        "the chat template ends answers with {}, but the model's files list as end tokens: {}; here it ends "
        "them",
        token_name(tokenizer_, *probe.turn_end),
        names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
  }

  void check_tokens(const TemplateProbe& probe) {
    std::set<std::string> looking = special_looking(probe.prompt);
    for (const auto& [role, token] : language_.templates.special_tokens()) {
      if (!token.empty() && probe.prompt.find(token) != std::string::npos) looking.insert(token);
    }
    for (const std::string& token : looking) {
      const auto ids = tokenizer_.encode(token, {.add_special_tokens = false});
      if (ids.size() > 1) {
        add(Kind::unknown_token, "the chat template writes {}, which the tokenizer splits into {} tokens",
            token, ids.size());
      }
    }
  }

  void check_round_trip(const TemplateProbe& probe) {
    const std::string text = tokenizer_.decode(probe.tokens);
    if (tokenizer_.encode(text, {.add_special_tokens = false}) == probe.tokens) return;
    add(Kind::round_trip, "the tokens of a prompt, written as text, are other tokens: {:?} came back as {:?}",
        probe.text, text);
  }

  const Language& language_;
  const text::Tokenizer& tokenizer_;
  std::vector<Finding> findings_;
};

}  // namespace

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::refused:
      return "refused";
    case Kind::double_bos:
      return "double_bos";
    case Kind::bos_written:
      return "bos_written";
    case Kind::no_turn_end:
      return "no_turn_end";
    case Kind::unlisted_end:
      return "unlisted_end";
    case Kind::unknown_end:
      return "unknown_end";
    case Kind::unknown_token:
      return "unknown_token";
    case Kind::round_trip:
      return "round_trip";
  }
  return "unknown";
}

std::vector<Finding> audit_template(const Language& language) { return Audit(language).run(); }

}  // namespace quern::infer
