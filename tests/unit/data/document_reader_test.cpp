#include "data/document_reader.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "base/rng.h"
#include "support/temp_dir.h"

namespace quern::data {
namespace {

std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

struct Outcome {
  std::vector<std::string> texts;
  std::vector<int64_t> lines;
  CorpusStatistics statistics;
  std::optional<Error> error;
};

Outcome read_all(const std::vector<std::string>& paths, ReaderOptions options = {}) {
  Outcome outcome;
  auto reader = open_corpus(paths, options);
  if (!reader.ok()) return outcome.error = reader.error(), outcome;
  Document document;
  for (;;) {
    auto more = reader->next(document);
    if (!more.ok()) outcome.error = more.error();
    if (!more.ok() || !*more) break;
    outcome.texts.push_back(document.text);
    outcome.lines.push_back(document.line);
  }
  outcome.statistics = reader->statistics();
  return outcome;
}

using Texts = std::vector<std::string>;

TEST(Reader, WholeTextFile) {
  const test::TempDir folder;
  const auto out = read_all({folder.write("a.txt", "\xEF\xBB\xBFone\r\ntwo\r\n\r\nthree\rfour\n")});
  EXPECT_EQ(out.texts, (Texts{"one\ntwo\n\nthree\rfour\n"}));
  EXPECT_EQ(out.statistics.documents, 1);
  EXPECT_EQ(out.statistics.bytes, 20);
}

TEST(Reader, SplitsTextAtBlankLinesAndSeparators) {
  const test::TempDir folder;
  const std::string path = folder.write("a.txt", "one\r\ntwo\r\n\r\n\r\nthree\n\n  \n\nfour");
  const auto out = read_all({path}, {.split_on = "\n\n"});
  EXPECT_EQ(out.texts, (Texts{"one\ntwo", "three", "four"}));
  EXPECT_EQ(out.lines, (std::vector<int64_t>{1, 5, 9}));
  EXPECT_EQ(out.statistics.blank_documents, 1);
  const std::string marked = folder.write("b.txt", "one<|endoftext|>two<|endoftext|>");
  EXPECT_EQ(read_all({marked}, {.split_on = "<|endoftext|>"}).texts, (Texts{"one", "two"}));
}

TEST(Reader, JsonLines) {
  const test::TempDir folder;
  const std::string path = folder.write("a.jsonl",
                                        "{\"text\": \"one\\n\\u00e9\"}\r\n\n{\"id\": 7, \"text\": "
                                        "\"two\"}\n{\"text\": \"\"}\n{\"text\": \"three\"}");
  const auto out = read_all({path});
  EXPECT_EQ(out.texts, (Texts{"one\n\xC3\xA9", "two", "three"}));
  EXPECT_EQ(out.lines, (std::vector<int64_t>{1, 3, 5}));
  EXPECT_EQ(out.statistics.blank_documents, 1);
}

TEST(Reader, JsonLinesWithAnotherFieldOrMessages) {
  const test::TempDir folder;
  const std::string path =
      folder.write("a.jsonl",
                   "{\"body\": \"one\"}\n{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}, "
                   "{\"role\": \"assistant\", \"content\": \"yes\"}]}\n");
  EXPECT_EQ(read_all({path}, {.text_field = "body"}).texts,
            (Texts{"one", "<|user|>hi<|assistant|>yes<|end|>"}));
}

TEST(Reader, BadJsonNamesFileAndLine) {
  const test::TempDir folder;
  for (const char* line :
       {"{\"text\": ", "[1]", "{\"text\": 5}", "{\"other\": \"x\"}", "7",
        "{\"messages\": [{\"role\": \"user\"}]}",
        "{\"messages\": [{\"role\": \"judge\", \"content\": \"x\"}]}", "{\"text\": \"\\ud800\"}"}) {
    const auto out =
        read_all({folder.write("bad.jsonl", std::string("{\"text\": \"fine\"}\n") + line + "\n")});
    ASSERT_TRUE(out.error.has_value()) << line;
    EXPECT_NE(out.error->message.find("bad.jsonl:2: "), std::string::npos) << out.error->message;
    EXPECT_EQ(out.texts, (Texts{"fine"}));
  }
}

TEST(Reader, DeeplyNestedJsonIsAnErrorNotACrash) {
  const test::TempDir folder;
  EXPECT_TRUE(read_all({folder.write("deep.jsonl", std::string(100000, '['))}).error.has_value());
}

TEST(Reader, CompressedFiles) {
  const test::TempDir folder;
  std::string text;
  Rng rng(1, 0);
  while (text.size() < 700000) text += std::to_string(rng.next_u32()) + "\n";
  EXPECT_EQ(read_all({folder.write("a.txt.gz", gzip(text))}).texts, (Texts{text}));
  EXPECT_EQ(read_all({folder.write("a.txt.zst", zstd(text))}).texts, (Texts{text}));
  EXPECT_EQ(read_all({folder.write("b.txt.gz", gzip("one ") + gzip("two"))}).texts, (Texts{"one two"}));
  EXPECT_EQ(read_all({folder.write("b.txt.zst", zstd("one ") + zstd("two"))}).texts, (Texts{"one two"}));
  EXPECT_EQ(read_all({folder.write("c.jsonl.gz", gzip("{\"text\": \"x\"}\n"))}).texts, (Texts{"x"}));
}

TEST(Reader, DamagedCompressedFiles) {
  const test::TempDir folder;
  const std::string text(50000, 'x');
  const std::string gz = gzip(text + "tail"), zst = zstd(text + "tail");
  for (const auto& [name, bytes] : std::vector<std::pair<std::string, std::string>>{
           {"cut.txt.gz", gz.substr(0, gz.size() - 5)},
           {"cut.txt.zst", zst.substr(0, zst.size() - 3)},
           {"bad.txt.gz", "not gzip at all"},
           {"bad.txt.zst", "not zstd at all"},
           {"tail.txt.gz", gz + "garbage"}}) {
    const auto out = read_all({folder.write(name, bytes)});
    ASSERT_TRUE(out.error.has_value()) << name;
    EXPECT_EQ(out.error->code, ErrorCode::corrupt);
    EXPECT_NE(out.error->message.find(name), std::string::npos) << out.error->message;
  }
}

TEST(Reader, FoldersInOrderOfNames) {
  const test::TempDir folder;
  folder.write("corpus/b.txt", "2");
  folder.write("corpus/a/z.md", "1");
  folder.write("corpus/c.jsonl", "{\"text\": \"3\"}");
  folder.write("corpus/d.parquet", "no");
  folder.write("corpus/.hidden/x.txt", "no");
  folder.write("corpus/.x.txt", "no");
  const auto out = read_all({(folder / "corpus").string()});
  EXPECT_EQ(out.texts, (Texts{"1", "2", "3"}));
  EXPECT_EQ(out.statistics.files, 3);
  EXPECT_EQ(out.statistics.ignored_files, 1);
}

TEST(Reader, MissingAndEmptyInputs) {
  const test::TempDir folder;
  EXPECT_EQ(read_all({(folder / "nothing.txt").string()}).error->code, ErrorCode::not_found);
  folder.write("empty/readme.bin", "x");
  const auto out = read_all({(folder / "empty").string()});
  ASSERT_TRUE(out.error.has_value());
  EXPECT_EQ(out.error->code, ErrorCode::not_found);
  EXPECT_FALSE(out.error->hint.empty());
  EXPECT_TRUE(read_all({}).error.has_value());
}

TEST(Reader, InvalidUtf8ByPolicy) {
  const test::TempDir folder;
  const std::string text = folder.write("a.txt",
                                        "good\n\nb\xFF"
                                        "d \xE2\x82\n\nlast");
  const auto replaced = read_all({text}, {.split_on = "\n\n"});
  EXPECT_EQ(replaced.texts, (Texts{"good",
                                   "b\xEF\xBF\xBD"
                                   "d \xEF\xBF\xBD",
                                   "last"}));
  EXPECT_EQ(replaced.statistics.invalid_documents, 1);
  EXPECT_EQ(replaced.statistics.replacements, 2);
  const auto skipped = read_all({text}, {.split_on = "\n\n", .invalid_utf8 = InvalidUtf8::skip});
  EXPECT_EQ(skipped.texts, (Texts{"good", "last"}));
  EXPECT_EQ(skipped.statistics.invalid_documents, 1);
  const auto refused = read_all({text}, {.split_on = "\n\n", .invalid_utf8 = InvalidUtf8::refuse});
  ASSERT_TRUE(refused.error.has_value());
  EXPECT_NE(refused.error->message.find("a.txt:3: not valid UTF-8 (byte 0xff)"), std::string::npos)
      << refused.error->message;
  EXPECT_EQ(read_all({folder.write("a.jsonl", "{\"text\": \"\xC0\"}\n")}).texts, (Texts{"\xEF\xBF\xBD"}));
}

TEST(Reader, RefusesUtf16) {
  const test::TempDir folder;
  const auto out = read_all({folder.write("a.txt", std::string("\xFF\xFEh\0i\0", 6))});
  ASSERT_TRUE(out.error.has_value());
  EXPECT_EQ(out.error->code, ErrorCode::unsupported);
  EXPECT_NE(out.error->message.find("a.txt"), std::string::npos);
}

TEST(Reader, CutsLongDocumentsAtLineEnds) {
  const test::TempDir folder;
  std::string text;
  for (int i = 0; i < 200; ++i) text += "line " + std::to_string(i) + "\n";
  const auto out = read_all({folder.write("a.txt", text)}, {.max_document_bytes = 100});
  std::string joined;
  for (const auto& piece : out.texts) {
    EXPECT_LE(piece.size(), 100u);
    EXPECT_EQ(piece.back(), '\n');
    joined += piece;
  }
  EXPECT_EQ(joined, text);
  EXPECT_EQ(out.statistics.cut_documents, static_cast<int64_t>(out.texts.size()) - 1);
  // Without line ends: between characters.
  std::string accents;
  for (int i = 0; i < 100; ++i) accents += "\xC3\xA9";
  const auto cut = read_all({folder.write("b.txt", "x" + accents)}, {.max_document_bytes = 50});
  EXPECT_EQ(cut.statistics.invalid_documents, 0);
  const auto line =
      read_all({folder.write("c.jsonl", "{\"text\": \"" + accents + "\"}")}, {.max_document_bytes = 50});
  ASSERT_TRUE(line.error.has_value());
}

// Random bytes, dressed as each kind of file, give documents or an error; never a crash, never invalid UTF-8.
TEST(Reader, SurvivesRandomBytes) {
  const test::TempDir folder;
  const std::string alphabet = "{}[]\":,\\ntexu0d8\r\n\t \xEF\xBB\xBF\xC3\xA9\xFF\xFE\x80";
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Rng rng(seed, 1);
    std::string bytes;
    const size_t size = rng.below(400);
    for (size_t i = 0; i < size; ++i)
      bytes += rng.below(4) == 0 ? static_cast<char>(rng.below(256)) : alphabet[rng.below(alphabet.size())];
    const std::string compressed = rng.below(2) == 0 ? gzip(bytes) : bytes;
    std::string mangled = compressed;
    if (!mangled.empty()) mangled[rng.below(mangled.size())] ^= static_cast<char>(1 << rng.below(8));
    for (const auto& [name, content] : std::vector<std::pair<std::string, std::string>>{
             {"r.txt", bytes}, {"r.jsonl", bytes}, {"r.jsonl.gz", mangled}, {"r.txt.zst", mangled}}) {
      const auto out =
          read_all({folder.write(name, content)}, {.split_on = "\n\n", .max_document_bytes = 64});
      for (const std::string& text : out.texts)
        ASSERT_NE(text.find_first_not_of(" \t\r\n\f\v"), std::string::npos);
      if (out.error) {
        ASSERT_FALSE(out.error->message.empty());
      }
    }
  }
}

// Where reads end must not matter: a CR LF, a separator or a character may straddle two.
TEST(Reader, LongFilesCrossReadBoundaries) {
  const test::TempDir folder;
  Texts expected;
  std::string content;
  Rng rng(8, 8);
  while (content.size() < 1500000) {
    std::string document;
    const size_t words = 1 + rng.below(300);
    for (size_t i = 0; i < words; ++i)
      document += (i ? "\n" : "") + std::string("\xC3\xA9t\xC3\xA9") + std::to_string(rng.below(10));
    expected.push_back(document);
    for (const char c : document) content += c == '\n' ? std::string("\r\n") : std::string(1, c);
    content += "\r\n\r\n";
  }
  EXPECT_EQ(read_all({folder.write("a.txt", content)}, {.split_on = "\n\n"}).texts, expected);
}

}  // namespace
}  // namespace quern::data
