#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "text/jinja/template.h"

namespace quern::text::jinja {

namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

Result<Rendered> render(const std::string& source, const Json& variables = Json::object(),
                        const RenderOptions& options = {}) {
  const auto parsed = Template::parse(source, "t");
  if (!parsed.ok()) return parsed.error();
  return parsed->render(variables, options);
}

Error error_of(const std::string& source, const Json& variables = Json::object(),
               const RenderOptions& options = {}) {
  const auto result = render(source, variables, options);
  EXPECT_FALSE(result.ok()) << source;
  return result.ok() ? Error{} : result.error();
}

std::string repeat(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace

TEST(JinjaTemplate, ErrorsSayWhere) {
  EXPECT_EQ(error_of("ab\n  {{ x.y }}").message, "t:2:7: 'x' is undefined");
  EXPECT_EQ(error_of("é {{ 1 + 'a' }}").message, "t:1:8: unsupported operand types for +: 'int' and 'str'");
  EXPECT_EQ(error_of("{% if 1 %}\n{% for x in y %}").message.substr(0, 6), "t:2:17");
  EXPECT_EQ(error_of("{{ raise_exception('no') }}").message, "t:1:19: no");
  EXPECT_EQ(error_of("{{ d.x.y }}", {{"d", {{"a", 1}}}}).message,
            "t:1:7: 'dict object' has no attribute 'x'");
  EXPECT_THAT(error_of("a\r\nb {{ $ }}").message, HasSubstr("t:2:6: unexpected character '$'"));
}

TEST(JinjaTemplate, ErrorsHaveCodes) {
  EXPECT_EQ(error_of("{{ a b }}").code, ErrorCode::corrupt);
  EXPECT_EQ(error_of("{% include 'x' %}").code, ErrorCode::unsupported);
  EXPECT_EQ(error_of("{{ 1|nope }}").code, ErrorCode::unsupported);
  EXPECT_EQ(error_of("{{ raise_exception('x') }}").code, ErrorCode::invalid_argument);
  EXPECT_EQ(error_of("{{ ''.__class__.__mro__ }}").code, ErrorCode::permission);
  EXPECT_EQ(error_of("{{ [].append(1) }}").code, ErrorCode::permission);
  EXPECT_EQ(error_of("\xFF").code, ErrorCode::corrupt);
}

TEST(JinjaTemplate, IntegersPast64BitsAreRefused) {
  for (const char* source :
       {"{{ 9223372036854775808 }}", "{{ 9223372036854775807 + 1 }}", "{{ 2 ** 63 }}", "{{ 3 ** 10 ** 9 }}",
        "{{ (-9223372036854775807 - 1) // -1 }}", "{{ 1e300|int }}", "{{ -(-9223372036854775807 - 1) }}",
        "{{ (-9223372036854775807 - 1)|abs }}"}) {
    EXPECT_EQ(error_of(source).code, ErrorCode::unsupported) << source;
  }
  EXPECT_EQ(render("{{ 2 ** 62 }}{{ (-9223372036854775807 - 1) % -1 }}").value().text,
            "46116860184273879040");
  EXPECT_EQ(error_of("{{ x }}", {{"x", UINT64_MAX}}).code, ErrorCode::unsupported);
}

TEST(JinjaTemplate, DeepSourceIsRefused) {
  constexpr size_t kDeep = 20'000;
  for (const std::string& source :
       {repeat("{% if 1 %}", kDeep), "{{ " + repeat("(", kDeep), "{{ " + repeat("-", kDeep) + "1 }}",
        "{{ " + repeat("[", kDeep), "{{ " + repeat("{1:", kDeep), "{{ " + repeat("not ", kDeep) + "1 }}",
        "{{ 1" + repeat("+1", kDeep) + " }}", "{{ x" + repeat(".x", kDeep) + " }}",
        "{{ x" + repeat("|e", kDeep) + " }}", "{{ x" + repeat("[0]", kDeep) + " }}",
        "{{ x" + repeat(" if 1 else x", kDeep) + " }}", "{{ x" + repeat(" or x", kDeep) + " }}",
        "{{ x" + repeat(" is x", kDeep) + " }}", "{% set " + repeat("(", kDeep) + "x",
        "{{ x" + repeat("()", kDeep) + " }}"}) {
    EXPECT_FALSE(Template::parse(source, "t").ok()) << source.substr(0, 20);
  }
  EXPECT_EQ(render("{{ 'a'" + repeat(" ~ 'a'", 1000) + " }}").value().text.size(), 1001U);
}

TEST(JinjaTemplate, WorkIsLimited) {
  for (const char* source : {
           "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
           "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
           "{% for x in [[]] recursive %}{{ loop([[]]) }}{% endfor %}",
           "{% set ns = namespace(x='a') %}{% for i in range(99999) %}{% set ns.x = ns.x ~ ns.x %}{% endfor "
           "%}",
           "{{ 'a' * 10 ** 12 }}",
           "{{ ('a' * 10 ** 7).replace('', 'b' * 10 ** 7) }}",
           "{{ [0] * 10 ** 12 }}",
           "{{ '%*d' % (10 ** 11, 1) }}",
           "{{ '{:>99999999999}'.format(1) }}",
           "{{ 'x'.center(10 ** 11) }}",
           "{{ 'x'|center(10 ** 11) }}",
           "{{ 'x\ny'|indent(10 ** 11) }}",
           "{{ [1]|batch(10 ** 11, 0)|list }}",
           "{{ [1]|slice(10 ** 11)|list }}",
           "{{ 'x'.zfill(10 ** 11) }}",
           "{{ ('\t' * 1000).expandtabs(10 ** 9) }}",
           "{% set ns = namespace(x=[0]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
           "{% set ns = namespace(x=[]) %}{% for i in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}",
           "{% set ns = namespace(x=[0]) %}{% for i in range(150) %}{% set ns.x = [ns.x, ns.x] %}{% endfor "
           "%}{{ ns.x }}",
           "{% set ns = namespace(x=[0]) %}{% for i in range(150) %}{% set ns.x = [ns.x, ns.x] %}{% endfor "
           "%}{{ ns.x|tojson }}",
           "{% set ns = namespace(x=[0]) %}{% for i in range(150) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
           "{{ ns.x == ns.x }}",
           "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
           "{% for i in range(99999) %}{{ 'abcdefgh' * 1000 }}{% endfor %}",
       }) {
    RenderOptions options;
    options.limits = {.steps = 1'000'000, .memory = 32 << 20, .output = 8 << 20};
    const Error error = error_of(source, {}, options);
    EXPECT_TRUE(error.code == ErrorCode::deadline || error.code == ErrorCode::out_of_memory ||
                error.code == ErrorCode::unsupported)
        << source << "\n"
        << error.message;
  }
}

TEST(JinjaTemplate, WorkThatIsNoStepCounts) {
  // Each would run for minutes if only nodes were counted.
  RenderOptions options;
  options.limits = {.steps = 200'000, .memory = 256 << 20, .output = 8 << 20};
  std::string begin = "{% set k = 'a' * 5000000 %}{% set d = {k: 1} %}";
  for (int i = 0; i < 5000; ++i) begin += "{% set a" + std::to_string(i) + " = 1 %}";
  begin += "{% for i in range(99999) %}{{ ";
  for (const char* expression :
       {"missing", "d[k]", "k in d", "d.get(k)", "{k: 1, k ~ '': 2}|length", "(k|tojson)[:1]", "k.count('a')",
        "k.replace('a', '')|length", "[k]|unique|list|length", "(k ~ 'b') in k", "k|wordcount", "k|e|length",
        "dict([['a', 1]] * 90000)", "('%s' * 200000 % ((1,) * 200000))|length"}) {
    const Error error = error_of(begin + expression + " }}{% endfor %}", {}, options);
    EXPECT_EQ(error.code, ErrorCode::deadline) << expression << ": " << error.message;
  }
}

TEST(JinjaTemplate, LimitsAreThoseGiven) {
  RenderOptions options;
  options.limits.steps = 100;
  EXPECT_EQ(error_of("{% for x in range(99) %}{{ x }}{% endfor %}", {}, options).code, ErrorCode::deadline);
  options = {};
  options.limits.output = 10;
  EXPECT_EQ(error_of("{% for x in range(99) %}{{ x }}{% endfor %}", {}, options).code,
            ErrorCode::out_of_memory);
  options = {};
  options.limits.memory = 100'000;
  EXPECT_EQ(error_of("{{ 'a' * 100000 }}", {}, options).code, ErrorCode::out_of_memory);
  // What was freed can be used again.
  EXPECT_TRUE(render("{% for x in range(99) %}{% set y = 'a' * 50000 %}{% endfor %}", {}, options).ok());
}

TEST(JinjaTemplate, ValuesThatHoldEachOtherAreFreed) {
  // The leak checker of the sanitizers looks on.
  EXPECT_TRUE(render("{% set ns = namespace() %}{% set ns.x = ns %}"
                     "{% macro m() %}{% endmacro %}{% set ns.m = m %}"
                     "{% for i in [ns] recursive %}{% set ns.l = loop %}{{ loop.changed(loop) }}{% endfor %}")
                  .ok());
}

TEST(JinjaTemplate, GeneratedPartsAreRecorded) {
  const Rendered rendered =
      render(
          "é{% generation %}one{% endgeneration %}-{% generation %}two{% endgeneration %}"
          "{% set x %}{% generation %}hidden{% endgeneration %}{% endset %}")
          .value();
  EXPECT_EQ(rendered.text, "éone-two");
  EXPECT_EQ(rendered.generated, (std::vector<std::pair<size_t, size_t>>{{2, 5}, {6, 9}}));
}

TEST(JinjaTemplate, OneTemplateServesManyThreads) {
  const Template parsed =
      Template::parse("{% macro m(x) %}{{ x ~ 'c' }}{% endmacro %}{% for x in xs %}{{ m(x) }}{% endfor %}",
                      "t")
          .value();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 50; ++k) EXPECT_EQ(parsed.render({{"xs", {1, "a"}}}).value().text, "1cac");
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace quern::text::jinja
