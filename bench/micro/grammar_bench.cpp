// Time to compile constraints and to find the masks of their texts:
//     grammar_bench TOKENIZER          a folder or tokenizer.json
//
// Each text is given to a matcher token by token, as the tokenizer cuts it, with a mask before each token; first with
// nothing known ("cold"), then again with the masks of the first time ("warm"), as a second request would find them.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "grammar/grammar_cache.h"
#include "infer/constraint.h"
#include "measure.h"

namespace {
using namespace quern;
using grammar::Constraint;

struct Sample {
  const char* name;
  Constraint::Kind kind;
  const char* form;
  const char* text;
};

using Kind = Constraint::Kind;
constexpr Sample kSamples[] = {
    {"person", Kind::json_schema,
     R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150},
            "email":{"type":"string","format":"email"},"tags":{"type":"array","items":{"type":"string"},"maxItems":10}},
            "required":["name","age"]})",
     R"({"name": "Ada Lovelace", "age": 36, "email": "ada.lovelace@example.org", "tags": ["mathematics", "poetry and engines", "London"]})"},
    {"order", Kind::json_schema,
     R"({"type":"object","properties":{"id":{"type":"string","pattern":"^[A-Z]{3}-[0-9]{6}$"},
            "placed":{"type":"string","format":"date-time"},"customer":{"type":"object","properties":{"name":{"type":"string",
            "maxLength":80},"address":{"type":"object","properties":{"street":{"type":"string","maxLength":120},"city":
            {"type":"string","maxLength":60},"zip":{"type":"string","pattern":"^[0-9]{5}$"}},"required":["street","city"]}},
            "required":["name"]},"items":{"type":"array","minItems":1,"items":{"type":"object","properties":{"sku":{"type":
            "string"},"title":{"type":"string","maxLength":200},"quantity":{"type":"integer","minimum":1,"maximum":999},
            "price":{"type":"number","minimum":0}},"required":["sku","quantity","price"]}},"status":{"enum":["new","paid",
            "shipped","cancelled"]}},"required":["id","items","status"]})",
     R"({"id": "ABC-012345", "placed": "2026-11-22T12:30:00Z", "customer": {"name": "Grace Hopper", "address": {"street": "1 Compiler Road", "city": "Arlington", "zip": "22201"}}, "items": [{"sku": "K-88", "title": "A nanosecond of wire, thirty centimetres long", "quantity": 12, "price": 3.75}, {"sku": "M-2", "title": "Moth, preserved", "quantity": 1, "price": 1947}], "status": "shipped"})"},
    {"any object", Kind::json_object, "",
     R"({"title": "Notes on the engine", "count": 3, "nested": {"deep": [1, 2.5, {"x": null}, [true, false]], "text": "It might act upon other things besides number."}, "end": "yes"})"},
    {"tree", Kind::json_schema,
     R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"label":{"type":"string"},"children":
            {"type":"array","items":{"$ref":"#/$defs/node"}}},"required":["label","children"]}}})",
     R"({"label": "root of the tree", "children": [{"label": "left", "children": []}, {"label": "right", "children": [{"label": "a leaf with a longer name", "children": []}]}]})"},
    {"regex", Kind::regex, R"((?:[A-Z][a-z]+ ){2,5}\(\d{4}\): [^\n]{10,200}\.)",
     "The Difference Engine (1832): a machine that tabulates polynomials by the method of finite "
     "differences."},
    {"arithmetic", Kind::gbnf,
     "root ::= (expr \"=\" ws term \"\\n\")+\nexpr ::= term ([-+*/] term)*\nterm ::= ident | num | \"(\" "
     "ws expr \")\" ws\n"
     "ident ::= [a-z] [a-z0-9_]* ws\nnum ::= [0-9]+ ws\nws ::= [ \\t]*\n",
     "(first_value +12 )*(second_value -3 )/rate =total\n4 *x -(y /2 )= 17\n"},
};

// Microseconds of all masks of the text, and how many.
struct Masks {
  double total = 0.0, slowest = 0.0;
  size_t count = 0;
};
Masks follow(const std::shared_ptr<grammar::TokenMasks>& masks, const std::vector<int32_t>& tokens) {
  using Clock = std::chrono::steady_clock;
  grammar::Matcher matcher(masks);
  std::vector<uint64_t> bits(matcher.vocabulary().mask_words());
  Masks result;
  for (size_t i = 0; i <= tokens.size(); ++i) {
    const Clock::time_point start = Clock::now();
    matcher.fill_mask(bits).value();
    const double time = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    result.total += time;
    result.slowest = std::max(result.slowest, time);
    ++result.count;
    if (i < tokens.size() && !matcher.accept_token(tokens[i])) {
      fmt::print("  refused at token {}\n", i);
      break;
    }
  }
  return result;
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return fmt::print("usage: grammar_bench TOKENIZER\n"), 2;
  const text::Tokenizer tokenizer = text::Tokenizer::load(argv[1]).value();
  std::vector<int32_t> ends;
  if (tokenizer.special_ids().eos) ends.push_back(*tokenizer.special_ids().eos);
  std::shared_ptr<const grammar::Vocabulary> vocabulary;
  const double seconds =
      bench::best_seconds([&] { vocabulary = infer::make_vocabulary(tokenizer, ends).value(); }, 1.0);
  fmt::print("{} tokens, {} trie nodes, vocabulary made in {:.0f} ms\n", vocabulary->size(),
             vocabulary->nodes().size(), seconds * 1e3);
  fmt::print("{:<12}{:>10}{:>9}{:>9}{:>12}{:>12}{:>12}{:>10}\n", "constraint", "compile ms", "states",
             "tokens", "cold us", "slowest us", "warm us", "cache KB");
  Masks cold, warm;
  const auto shared = std::make_shared<grammar::SharedMasks>();
  for (const Sample& sample : kSamples) {
    std::shared_ptr<const grammar::Grammar> compiled;
    const double compile = bench::best_seconds(
        [&] {
          compiled = grammar::compile({sample.kind, sample.form}).value();
        },
        0.2);
    const auto tokens = tokenizer.encode(sample.text, {.add_special_tokens = false});
    const auto masks = std::make_shared<grammar::TokenMasks>(compiled, vocabulary, shared);
    const Masks first = follow(masks, tokens), second = follow(masks, tokens);
    cold.total += first.total, cold.count += first.count;
    warm.total += second.total, warm.count += second.count;
    fmt::print("{:<12}{:>10.2f}{:>9}{:>9}{:>12.1f}{:>12.0f}{:>12.2f}{:>10}\n", sample.name, compile * 1e3,
               compiled->state_count(), tokens.size(), first.total / static_cast<double>(first.count),
               first.slowest, second.total / static_cast<double>(second.count), masks->cached_bytes() / 1024);
  }
  fmt::print("all masks: cold {:.1f} us, warm {:.2f} us on average\n",
             cold.total / static_cast<double>(cold.count), warm.total / static_cast<double>(warm.count));
  return 0;
}
