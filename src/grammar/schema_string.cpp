// Strings of JSON schemas: length, pattern, format.
#include <fmt/format.h>

#include <algorithm>

#include "grammar/regex.h"
#include "grammar/schema_compiler.h"

namespace quern::grammar {

namespace {

struct Format {
  std::string_view name, pattern;
};
#define DATE \
  R"(\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8])))"
#define TIME R"((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))"
#define OCTET R"((?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d))"
#define LABEL R"([A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)"
// All texts are of the format; `date` leaves out the 29th of February, which not every year has.
constexpr Format kFormats[] = {
    {"date", DATE},
    {"time", TIME},
    {"date-time", DATE "T" TIME},
    {"duration",
     R"(P(?:\d+W|(?:\d+D|\d+M(?:\d+D)?|\d+Y(?:\d+M(?:\d+D)?)?)(?:T(?:\d+S|\d+M(?:\d+S)?|\d+H(?:\d+M(?:\d+S)?)?))?|T(?:\d+S|\d+M(?:\d+S)?|\d+H(?:\d+M(?:\d+S)?)?)))"},
    {"uuid", R"([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"},
    {"ipv4", OCTET R"((?:\.)" OCTET R"(){3})"},
    {"ipv6",
     R"((?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|(?:[0-9a-fA-F]{1,4}:){1,6}:[0-9a-fA-F]{1,4}|::(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){0,6})?)"},
    {"hostname", LABEL R"((?:\.)" LABEL R"()*)"},
    {"email", R"([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@)" LABEL R"((?:\.)" LABEL R"()+)"},
    {"uri",
     R"([a-zA-Z][a-zA-Z0-9+.-]*://[A-Za-z0-9._~-]+(?::\d{1,5})?(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]*)*(?:\?[A-Za-z0-9._~!$&'()*+,;=:@/?-]*)?(?:#[A-Za-z0-9._~!$&'()*+,;=:@/?-]*)?)"},
};
#undef DATE
#undef TIME
#undef OCTET
#undef LABEL

}  // namespace

Result<Expr> SchemaCompiler::pattern(const Json& pattern, const std::string& path) {
  if (!pattern.is_string()) return schema_error(path, "expected a regular expression as a string");
  auto parsed =
      parse_regex(pattern.get<std::string>(), rules_,
                  {.search = true, .write = [this](const CharSet& set) { return syntax_.char_of(set); }});
  if (!parsed.ok()) return schema_error(path, parsed.error().message, parsed.error().hint);
  return *parsed;
}

Result<Expr> SchemaCompiler::content(const Json& schema, const std::string& path) {
  QUERN_TRY(const uint32_t least, count(schema, "minLength", 0, path));
  QUERN_TRY(const uint32_t most, count(schema, "maxLength", kUnbounded, path));
  std::optional<Expr> content;
  if (const auto found = schema.find("pattern"); found != schema.end()) {
    for (const Json& one : found->is_array() ? *found : Json::array({*found})) {
      QUERN_TRY(const Expr expr, pattern(one, below(path, "pattern")));
      QUERN_CHECK(narrow(content, expr, below(path, "pattern")));
    }
  }
  if (const auto found = schema.find("format"); found != schema.end()) {
    const auto known = std::ranges::find_if(kFormats, [&](const Format& f) { return *found == f.name; });
    if (known == std::end(kFormats)) {
      std::string names;
      for (const Format& format : kFormats) names += (names.empty() ? "" : ", ") + std::string(format.name);
      return schema_error(below(path, "format"), fmt::format("format {} cannot be enforced", found->dump()),
                          "known are " + names);
    }
    QUERN_TRY(const Expr expr, parse_regex(known->pattern, rules_));
    QUERN_CHECK(narrow(content, expr, below(path, "format")));
  }
  if (least > most) return rules_.nothing();
  if (!content) return rules_.repeat(syntax_.any_char(), least, most);
  if (least > 0 || most != kUnbounded) {
    QUERN_CHECK(narrow(content, rules_.repeat(syntax_.any_char(), least, most),
                       below(path, most == kUnbounded ? "minLength" : "maxLength")));
  }
  return *content;
}

Result<Expr> SchemaCompiler::string(const Json& schema, const std::string& path) {
  const bool any = !schema.contains("minLength") && !schema.contains("maxLength") &&
                   !schema.contains("pattern") && !schema.contains("format");
  if (any) return syntax_.string();
  QUERN_TRY(const Expr inside, content(schema, path));
  return syntax_.quoted(inside);
}

}  // namespace quern::grammar
