// quern tokenizer train | encode | decode | info (and chat, compare: files of their own)
#include "cli/commands/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/text_table.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "cli/open_tokenizer.h"
#include "recipes/tokenizer_training.h"
#include "text/tokenizer_report.h"

namespace quern::cli {

namespace {

Result<std::string> read_input(const std::string& file) {
  return read_file(file == "-" ? "/dev/stdin" : file);
}

// Text from the command line, a file, or stdin ("-").
struct TextInput {
  std::string text;
  std::string file;

  void define(CommandLine& line, const std::string& what) {
    CLI::Option* option = line.app().add_option("TEXT", text, what);
    line.app().add_option("-f,--file", file, "read it from a file; - is stdin")->excludes(option);
  }
  Result<std::string> read() const {
    if (file.empty()) return text;
    return read_input(file);
  }
};

// What becomes of one line of JSON; nothing when it is not what was expected.
using LineMapper = std::function<std::optional<nlohmann::ordered_json>(const nlohmann::json& row)>;

// Prints what `map` makes of every line of a JSONL file ("-": stdin). invalid_argument, with the line, for one that it
// does not take.
Result<void> map_lines(const std::string& file, const char* expected, Context& context,
                       const LineMapper& map) {
  QUERN_TRY(const std::string content, read_input(file));
  std::istringstream lines(content);
  std::string line;
  for (int64_t number = 1; std::getline(lines, line); ++number) {
    const auto mapped = map(nlohmann::json::parse(line, nullptr, false));
    if (!mapped) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("{}:{}: expected a line of the form {}", file, number, expected));
    }
    context.print(mapped->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  return {};
}

// --- train

struct TrainArguments {
  recipes::TokenizerConfig config;
  std::string out;
};

Result<void> train(const TrainArguments& arguments, Context& context) {
  const InterruptGuard guard;
  QUERN_TRY(const recipes::TrainedTokenizer trained,
            recipes::train_tokenizer(arguments.config, arguments.out, *context.progress));
  if (context.json) {
    context.print(nlohmann::ordered_json{{"tokenizer", arguments.out},
                                         {"vocab_size", trained.tokenizer.vocab_size()},
                                         {"documents", trained.corpus.documents},
                                         {"bytes", trained.corpus.bytes},
                                         {"invalid_documents", trained.corpus.invalid_documents},
                                         {"replacements", trained.corpus.replacements}}
                      .dump(2) +
                  "\n");
    return {};
  }
  std::string text =
      fmt::format("{}: {} tokens from {} of {} documents\n", arguments.out, trained.tokenizer.vocab_size(),
                  human_bytes(static_cast<uint64_t>(trained.corpus.bytes)), trained.corpus.documents);
  if (trained.tokenizer.vocab_size() < arguments.config.vocab_size) {
    text += fmt::format("fewer than the {} asked for: ", arguments.config.vocab_size);
    text += arguments.config.model == recipes::TokenizerModel::unigram
                ? "the corpus repeats no other pieces\n"
                : fmt::format("no other pair occurs {} times\n", arguments.config.min_frequency);
  }
  if (trained.corpus.replacements > 0) {
    text += fmt::format("{} sequences in {} documents were not UTF-8 and count as U+FFFD\n",
                        trained.corpus.replacements, trained.corpus.invalid_documents);
  }
  context.print(text);
  return {};
}

Runner define_train(CommandLine& line) {
  auto arguments = std::make_shared<TrainArguments>();
  line.config(arguments->config);
  line.config_flag("--input", "input");
  line.config_flag("--model", "model");
  line.config_flag("--vocab-size", "vocab_size");
  line.config_flag("--pattern", "pattern");
  line.app().add_option("-o,--out", arguments->out, "folder to write tokenizer.json to")->required();
  return [arguments](Context& context) { return train(*arguments, context); };
}

// --- encode

struct EncodeArguments {
  std::string tokenizer;
  TextInput input;
  std::string jsonl;
  text::EncodeOptions options;
};

Result<void> encode(const EncodeArguments& arguments, Context& context) {
  QUERN_TRY(const text::Tokenizer tokenizer, open_tokenizer(arguments.tokenizer));
  if (!arguments.jsonl.empty()) {
    return map_lines(arguments.jsonl, R"({"text": "..."})", context,
                     [&](const nlohmann::json& row) -> std::optional<nlohmann::ordered_json> {
                       const auto text = row.find("text");
                       if (text == row.end() || !text->is_string()) return std::nullopt;
                       return nlohmann::ordered_json{
                           {"ids", tokenizer.encode(text->get<std::string>(), arguments.options)}};
                     });
  }
  QUERN_TRY(const std::string text, arguments.input.read());
  const std::vector<text::TokenSpan> spans = tokenizer.encode_with_spans(text, arguments.options);
  if (!context.json) {
    std::string line;
    for (const text::TokenSpan& token : spans) line += fmt::format("{}{}", line.empty() ? "" : " ", token.id);
    context.print(line + "\n");
    return {};
  }
  nlohmann::ordered_json tokens = nlohmann::ordered_json::array();
  for (const text::TokenSpan& token : spans) {
    tokens.push_back({{"id", token.id},
                      {"token", tokenizer.id_to_token(token.id).value_or("")},
                      {"begin", token.span.begin},
                      {"end", token.span.end}});
  }
  context.print(nlohmann::ordered_json{{"tokens", tokens}}.dump(2, ' ', false,
                                                                nlohmann::json::error_handler_t::replace) +
                "\n");
  return {};
}

Runner define_encode(CommandLine& line) {
  auto arguments = std::make_shared<EncodeArguments>();
  line.app().add_option("TOKENIZER", arguments->tokenizer, kTokenizerHelp)->required();
  arguments->input.define(line, "text to encode");
  line.app()
      .add_option(
          "--jsonl", arguments->jsonl,
          "encode many texts: lines of {\"text\": ...} from a file or -, to lines of {\"ids\": [...]}")
      ->excludes("TEXT")
      ->excludes("--file");
  line.app().add_flag("!--no-special", arguments->options.add_special_tokens,
                      "without the tokens the model wants around a text");
  line.app().add_flag("!--plain", arguments->options.allow_special,
                      "read special tokens in the text as ordinary text");
  return [arguments](Context& context) { return encode(*arguments, context); };
}

// --- decode

struct DecodeArguments {
  std::string tokenizer;
  std::vector<int32_t> ids;
  std::string file;
  std::string jsonl;
  text::DecodeOptions options;
};

bool is_id(const nlohmann::json& json) {
  return json.is_number_unsigned() && json.get<uint64_t>() <= INT32_MAX;
}

Result<std::vector<int32_t>> read_ids(const std::string& file) {
  QUERN_TRY(const std::string text, read_input(file));
  std::vector<int32_t> ids;
  const char* at = text.c_str();
  for (;;) {
    while (*at != '\0' && (std::isspace(static_cast<unsigned char>(*at)) != 0 || *at == ',')) ++at;
    if (*at == '\0') return ids;
    char* end = nullptr;
    const long id = std::strtol(at, &end, 10);
    if (end == at || id < 0 || id > INT32_MAX) {
      return make_error(ErrorCode::invalid_argument, fmt::format("{}: expected token ids, got '{}'", file,
                                                                 std::string_view(at).substr(0, 20)));
    }
    ids.push_back(static_cast<int32_t>(id));
    at = end;
  }
}

Result<void> decode(const DecodeArguments& arguments, Context& context) {
  QUERN_TRY(const text::Tokenizer tokenizer, open_tokenizer(arguments.tokenizer));
  if (!arguments.jsonl.empty()) {
    return map_lines(arguments.jsonl, R"({"ids": [...]})", context,
                     [&](const nlohmann::json& row) -> std::optional<nlohmann::ordered_json> {
                       const auto ids = row.find("ids");
                       if (ids == row.end() || !ids->is_array() || !std::ranges::all_of(*ids, is_id))
                         return std::nullopt;
                       return nlohmann::ordered_json{
                           {"text", tokenizer.decode(ids->get<std::vector<int32_t>>(), arguments.options)}};
                     });
  }
  std::vector<int32_t> ids = arguments.ids;
  if (!arguments.file.empty()) {
    QUERN_TRY(ids, read_ids(arguments.file));
  }
  const std::string text = tokenizer.decode(ids, arguments.options);
  context.print(context.json ? nlohmann::ordered_json{{"text", text}}.dump() + "\n" : text + "\n");
  return {};
}

Runner define_decode(CommandLine& line) {
  auto arguments = std::make_shared<DecodeArguments>();
  line.app().add_option("TOKENIZER", arguments->tokenizer, kTokenizerHelp)->required();
  CLI::Option* ids = line.app().add_option("ID", arguments->ids, "token ids");
  line.app().add_option("-f,--file", arguments->file, "read ids from a file; - is stdin")->excludes(ids);
  line.app()
      .add_option("--jsonl", arguments->jsonl,
                  "decode many: lines of {\"ids\": [...]} from a file or -, to lines of {\"text\": ...}")
      ->excludes(ids)
      ->excludes("--file");
  line.app().add_flag("--skip-special", arguments->options.skip_special_tokens, "leave special tokens out");
  return [arguments](Context& context) { return decode(*arguments, context); };
}

// --- info

struct InfoArguments {
  std::string tokenizer;
  TextInput input;
};

nlohmann::ordered_json to_json(const text::TokenizerStats& s) {
  return {{"texts", s.texts},
          {"bytes", s.bytes},
          {"characters", s.characters},
          {"words", s.words},
          {"tokens", s.tokens},
          {"tokens_per_word", s.tokens_per_word()},
          {"bytes_per_token", s.bytes_per_token()},
          {"characters_per_token", s.characters_per_token()},
          {"used", s.used},
          {"vocabulary", s.vocabulary},
          {"coverage", s.coverage()},
          {"unknown", s.unknown},
          {"invalid_utf8", s.replacements}};
}

std::string name_token(const text::Tokenizer& tokenizer, std::optional<int32_t> id) {
  return id ? fmt::format("{} ({})", tokenizer.id_to_token(*id).value_or("?"), *id) : "none";
}

// Longer texts are measured, not shown.
constexpr size_t kShownBytes = 2000;

Result<void> info(const InfoArguments& arguments, Context& context) {
  QUERN_TRY(const text::Tokenizer tokenizer, open_tokenizer(arguments.tokenizer));
  QUERN_TRY(const std::string text, arguments.input.read());
  const std::string_view view = text;
  const text::TokenizerStats stats = text::measure(tokenizer, std::span(&view, 1));
  const text::SpecialIds& ids = tokenizer.special_ids();
  if (context.json) {
    nlohmann::ordered_json json = {{"model", tokenizer.model_type()}, {"vocab_size", tokenizer.vocab_size()}};
    if (!text.empty()) json["text"] = to_json(stats);
    context.print(json.dump(2) + "\n");
    return {};
  }
  TextTable table({"", ""});
  table.add({"model", std::string(tokenizer.model_type())});
  table.add({"vocabulary", fmt::format("{} tokens", tokenizer.vocab_size())});
  table.add({"beginning of text", name_token(tokenizer, ids.bos)});
  table.add({"end of text", name_token(tokenizer, ids.eos)});
  table.add({"chat template",
             tokenizer.chat_template().empty() ? "none" : human_bytes(tokenizer.chat_template().size())});
  if (!text.empty()) {
    table.add({"text",
               fmt::format("{} bytes, {} characters, {} words", stats.bytes, stats.characters, stats.words)});
    table.add({"tokens", fmt::format("{}: {:.3f} per word, {:.3f} bytes each", stats.tokens,
                                     stats.tokens_per_word(), stats.bytes_per_token())});
    table.add({"coverage",
               fmt::format("{} of {} tokens used, {} unknown", stats.used, stats.vocabulary, stats.unknown)});
  }
  std::string out = table.to_string(0);
  if (!text.empty() && text.size() <= kShownBytes) out += "\n" + text::render_splits(tokenizer, text);
  context.print(out);
  return {};
}

Runner define_info(CommandLine& line) {
  auto arguments = std::make_shared<InfoArguments>();
  line.app().add_option("TOKENIZER", arguments->tokenizer, kTokenizerHelp)->required();
  arguments->input.define(line, "text to measure, and to show cut into pieces when it is short");
  return [arguments](Context& context) { return info(*arguments, context); };
}

Command sub(std::string name, std::string summary, std::string example, Runner (*define)(CommandLine&)) {
  return {.name = std::move(name),
          .group = Group::data,
          .summary = std::move(summary),
          .details = {},
          .examples = std::move(example),
          .define = define,
          .subcommands = {}};
}

}  // namespace

Command tokenizer_command() {
  return {
      .name = "tokenizer",
      .group = Group::data,
      .summary = "train a tokenizer, use one, look at one",
      .details = {},
      .examples =
          "quern tokenizer train --input docs/handbook --vocab-size 1024 --out runs/tokenizer\n"
          "quern tokenizer info runs/tokenizer \"Hello world\"",
      .define = nullptr,
      .subcommands = {
          sub("train",
              "train a tokenizer on text: bytes that merge (BPE), WordPiece as BERT has it, unigram as T5",
              "quern tokenizer train --input docs/handbook --vocab-size 1024 --out runs/tokenizer\n"
              "quern tokenizer train --model wordpiece --input docs/handbook --vocab-size 2048 --out "
              "runs/bert-tokenizer\n"
              "quern tokenizer train --model unigram --input docs/handbook --vocab-size 2048 --out "
              "runs/t5-tokenizer",
              define_train),
          sub("encode", "print the token ids of a text",
              "quern tokenizer encode runs/tokenizer \"Hello world\"", define_encode),
          sub("decode", "print the text of token ids", "quern tokenizer decode runs/tokenizer 39 71 112",
              define_decode),
          sub("info", "vocabulary, and tokens per word, bytes per token, coverage and splits of a text",
              "quern tokenizer info runs/tokenizer \"Hello world\"\nquern tokenizer info runs/tokenizer "
              "--file README.md",
              define_info),
          tokenizer_chat_command(),
          tokenizer_compare_command(),
      }};
}

}  // namespace quern::cli
