#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/regex.h"

#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>

#include "base/exception.h"

namespace quern::text {

namespace {
// Per match. Published patterns need a few steps for each.
constexpr uint32_t kMatchLimit = 1'000'000;
constexpr uint32_t kDepthLimit = 100'000;
constexpr uint32_t kHeapLimitKib = 64 * 1024;
constexpr size_t kLongestPattern = 64 * 1024;

template <auto kFree>
struct Deleter {
  template <class T>
  void operator()(T* pointer) const {
    kFree(pointer);
  }
};
using Code = std::unique_ptr<pcre2_code, Deleter<pcre2_code_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Deleter<pcre2_match_context_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data_free>>;

std::string message_of(int code) {
  PCRE2_UCHAR text[256] = "unknown error";
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

// "{1,3}+" at the start of `rest`: a possessive quantifier to PCRE2, a repeated group to Oniguruma.
bool is_repeated_interval(std::string_view rest) {
  const size_t end = rest.find_first_not_of("0123456789,", 1);
  return end != rest.npos && end > 1 && rest.substr(end, 2) == "}+";
}

// The first construct that PCRE2 would read differently from Oniguruma, or nothing.
std::string_view foreign_construct(std::string_view pattern) {
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const std::string_view two = pattern.substr(i, 2);
    if (pattern[i] == '\\') {
      if (two == "\\h" || two == "\\H") return two;
      ++i;
      // The braces of \p{..} and \x{..} are no quantifier.
      if (pattern.substr(i + 1, 1) == "{") i = std::min(pattern.find('}', i), pattern.size());
    } else if (!in_class && pattern[i] == '{' && is_repeated_interval(pattern.substr(i))) {
      return "{n,m}+";
    } else if (in_class && two == "&&") {
      return two;
    } else if (pattern[i] == '[') {
      in_class = true;
    } else if (pattern[i] == ']') {
      in_class = false;
    }
  }
  return {};
}

// What \s and \w mean to Oniguruma, for between brackets. PCRE2 counts U+180E as white space, which Unicode ended in
// 2013, and counts neither marks nor circled letters to words.
constexpr std::string_view kSpaces = R"(\t-\r\x{85}\p{Z})";
constexpr std::string_view kWords =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189})";
// Superscripts and fractions of Latin-1, which Oniguruma's \w has outside of brackets only.
constexpr std::string_view kLatinNumbers = R"(\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})";

// Nothing for an escape that PCRE2 reads in the same way. \S and \W between brackets stay as they are.
std::string spelled_out(std::string_view escape, bool in_class) {
  if (escape == "\\s") return in_class ? std::string(kSpaces) : fmt::format("[{}]", kSpaces);
  if (escape == "\\w") return in_class ? std::string(kWords) : fmt::format("[{}{}]", kWords, kLatinNumbers);
  if (escape == "\\S" && !in_class) return fmt::format("[^{}]", kSpaces);
  if (escape == "\\W" && !in_class) return fmt::format("[^{}{}]", kWords, kLatinNumbers);
  return {};
}

std::string spell_out_classes(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const std::string_view two = pattern.substr(i, 2);
    if (two.size() == 2 && pattern[i] == '\\') {
      const std::string meaning = spelled_out(two, in_class);
      out += meaning.empty() ? two : std::string_view(meaning);
      ++i;
    } else {
      in_class = pattern[i] == '[' || (in_class && pattern[i] != ']');
      out += pattern[i];
    }
  }
  return out;
}
}  // namespace

struct Regex::Program {
  std::string literal;  // used when there is no code
  std::string pattern;
  Code code;
  MatchContext context;
};

Result<Regex> Regex::compile(std::string_view pattern) {
  if (pattern.size() > kLongestPattern) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("a regular expression of {} bytes: at most {} are allowed", pattern.size(),
                                  kLongestPattern));
  }
  if (const std::string_view foreign = foreign_construct(pattern); !foreign.empty()) {
    return make_error(
        ErrorCode::unsupported,
        fmt::format("the regular expression {:?} uses '{}', which is not supported here", pattern, foreign));
  }
  auto program = std::make_shared<Program>();
  program->pattern = pattern;
  int code = 0;
  PCRE2_SIZE at = 0;
  using CompileContext = std::unique_ptr<pcre2_compile_context, Deleter<pcre2_compile_context_free>>;
  const CompileContext compile_context(pcre2_compile_context_create(nullptr));
  pcre2_set_newline(compile_context.get(), PCRE2_NEWLINE_LF);
  const std::string spelled = spell_out_classes(pattern);
  program->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(spelled.data()), spelled.size(),
                                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code,
                                    &at, compile_context.get()));
  if (!program->code) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("the regular expression {:?} is wrong at byte {}: {}", pattern, at, message_of(code)));
  }
  pcre2_jit_compile(program->code.get(), PCRE2_JIT_COMPLETE);  // without a JIT the interpreter serves
  program->context.reset(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(program->context.get(), kMatchLimit);
  pcre2_set_depth_limit(program->context.get(), kDepthLimit);
  pcre2_set_heap_limit(program->context.get(), kHeapLimitKib);
  return Regex(std::move(program));
}

Regex Regex::literal(std::string_view text) {
  auto program = std::make_shared<Program>();
  program->literal = text;
  return Regex(std::move(program));
}

void Regex::for_each(std::string_view text, Span range, const std::function<void(Span)>& match) const {
  const std::string_view part = text.substr(range.begin, range.end - range.begin);
  if (!program_->code) {
    if (program_->literal.empty()) return;
    for (size_t at = part.find(program_->literal); at != part.npos; at = part.find(program_->literal, at)) {
      const auto begin = range.begin + static_cast<uint32_t>(at);
      at += program_->literal.size();
      match({begin, range.begin + static_cast<uint32_t>(at)});
    }
    return;
  }
  const MatchData data(pcre2_match_data_create(1, nullptr));
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(part.data());
  PCRE2_SIZE at = 0;
  constexpr uint32_t options = PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY;
  while (at < part.size()) {
    const auto find = [&](uint32_t extra) {
      return pcre2_match(program_->code.get(), subject, part.size(), at, options | extra, data.get(),
                         program_->context.get());
    };
    int found = find(0);
    // The JIT has a small stack; the interpreter keeps its own on the heap.
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = find(PCRE2_NO_JIT);
    if (found == PCRE2_ERROR_NOMATCH) return;
    if (found < 0) {
      throw Exception(
          make_error(ErrorCode::deadline,
                     fmt::format("the regular expression {:?} gave up on a text of {} bytes: {}",
                                 program_->pattern, part.size(), message_of(found)),
                     "the pattern backtracks too much on this text; use a pattern without nested repeats"));
    }
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data.get());
    // \K in a lookaround may put the begin behind the end or before the last match: no span to report.
    if (bounds[0] < at || bounds[1] <= bounds[0]) return;
    match({range.begin + static_cast<uint32_t>(bounds[0]), range.begin + static_cast<uint32_t>(bounds[1])});
    at = bounds[1];
  }
}

}  // namespace quern::text
