// quern tokenizer compare
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text_table.h"
#include "cli/command_line.h"
#include "cli/commands/tokenizer.h"
#include "cli/open_tokenizer.h"
#include "text/tokenizer_comparison.h"

namespace quern::cli {

namespace {
struct Arguments {
  std::string tokenizers[2];
  std::string data;
};

std::vector<std::string_view> lines_of(std::string_view content) {
  std::vector<std::string_view> lines;
  while (!content.empty()) {
    const std::string_view line = content.substr(0, content.find('\n'));
    if (!line.empty()) lines.push_back(line);
    content.remove_prefix(std::min(line.size() + 1, content.size()));
  }
  return lines;
}

nlohmann::ordered_json to_json(const Arguments& arguments, const text::TokenizerComparison& found) {
  nlohmann::ordered_json json = {{"texts", found.stats[0].texts}, {"equal_texts", found.equal_texts}};
  json["equal_tokens"] = found.equal_tokens;
  for (const size_t side : {0, 1}) {
    const text::TokenizerStats& stats = found.stats[side];
    json[side == 0 ? "a" : "b"] = {{"tokenizer", arguments.tokenizers[side]},
                                   {"vocabulary", stats.vocabulary},
                                   {"tokens", stats.tokens},
                                   {"tokens_per_word", stats.tokens_per_word()},
                                   {"bytes_per_token", stats.bytes_per_token()},
                                   {"unknown", stats.unknown},
                                   {"used", stats.used},
                                   {"round_trips", found.round_trips[side]},
                                   {"megabytes_per_second", found.megabytes_per_second[side]}};
  }
  return json;
}

std::string show_difference(const text::Tokenizer (&tokenizers)[2],
                            const text::TokenizerComparison::Difference& difference) {
  std::string out =
      fmt::format("\nline {} differs from token {} on:\n", difference.text + 1, difference.token);
  for (const size_t side : {0, 1}) {
    out += side == 0 ? "  A:" : "  B:";
    for (const text::TokenId id : difference.ids[side])
      out += fmt::format(" {} ({})", tokenizers[side].id_to_token(id).value_or("?"), id);
    out += '\n';
  }
  return out;
}

Result<void> compare(const Arguments& arguments, Context& context) {
  QUERN_TRY(const text::Tokenizer a, open_tokenizer(arguments.tokenizers[0]));
  QUERN_TRY(const text::Tokenizer b, open_tokenizer(arguments.tokenizers[1]));
  QUERN_TRY(const std::string content, read_file(arguments.data));
  const std::vector<std::string_view> lines = lines_of(content);
  const text::TokenizerComparison found = text::compare(a, b, lines);
  if (context.json) {
    context.print(to_json(arguments, found).dump(2) + "\n");
    return {};
  }
  TextTable table({"", ">A", ">B"});
  const auto row = [&](const char* name, const auto& figure) {
    table.add({name, figure(size_t{0}), figure(size_t{1})});
  };
  const auto& stats = found.stats;
  row("vocabulary", [&](size_t side) { return fmt::format("{}", stats[side].vocabulary); });
  row("tokens", [&](size_t side) { return fmt::format("{}", stats[side].tokens); });
  row("tokens per word", [&](size_t side) { return fmt::format("{:.3f}", stats[side].tokens_per_word()); });
  row("bytes per token", [&](size_t side) { return fmt::format("{:.3f}", stats[side].bytes_per_token()); });
  row("unknown tokens", [&](size_t side) { return fmt::format("{}", stats[side].unknown); });
  row("tokens in use", [&](size_t side) { return fmt::format("{}", stats[side].used); });
  row("lines given back", [&](size_t side) { return fmt::format("{}", found.round_trips[side]); });
  row("MB/s, one thread",
      [&](size_t side) { return fmt::format("{:.1f}", found.megabytes_per_second[side]); });
  std::string out = table.to_string(0);
  out += fmt::format("\n{} of {} lines have the same ids; {} tokens are spelled alike at the same place\n",
                     found.equal_texts, lines.size(), found.equal_tokens);
  if (found.first) out += show_difference({a, b}, *found.first);
  context.print(out);
  return {};
}
Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  line.app().add_option("A", arguments->tokenizers[0], kTokenizerHelp)->required();
  line.app().add_option("B", arguments->tokenizers[1], "another")->required();
  line.app().add_option("--data", arguments->data, "file of texts, one a line")->required();
  return [arguments](Context& context) { return compare(*arguments, context); };
}
}  // namespace

Command tokenizer_compare_command() {
  return {.name = "compare",
          .group = Group::data,
          .summary = "two tokenizers on the same lines: ids, tokens per word, bytes per token, speed",
          .details = {},
          .examples = "quern tokenizer compare runs/tokenizer other/tokenizer.json --data corpus.txt",
          .define = define,
          .subcommands = {}};
}

}  // namespace quern::cli
