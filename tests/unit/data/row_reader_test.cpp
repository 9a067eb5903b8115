#include "data/examples/row_reader.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "support/temp_dir.h"

namespace quern::data {
namespace {

using Rows = std::vector<std::pair<int64_t, std::string>>;  // line and text

Result<Rows> read(const std::vector<std::string>& paths, size_t limit = kMaxRowBytes) {
  QUERN_TRY(RowReader reader, RowReader::open(paths, limit));
  Rows rows;
  RowReader::Row row;
  for (;;) {
    QUERN_TRY(const bool any, reader.next(row));
    if (!any) return rows;
    rows.emplace_back(row.line, row.text);
  }
}

TEST(RowReader, Lines) {
  const test::TempDir folder;
  EXPECT_EQ(read({folder.write("a.jsonl", "{\"a\": 1}\n\n  \n{\"b\": 2}\r\nbroken")}).value(),
            (Rows{{1, "{\"a\": 1}"}, {4, "{\"b\": 2}\r"}, {5, "broken"}}));
  EXPECT_EQ(read({folder.write("b.jsonl", "\xEF\xBB\xBF{}\n")}).value(), (Rows{{1, "{}"}}));
  EXPECT_EQ(read({folder.write("c.jsonl", "")}).value(), Rows{});
  EXPECT_EQ(read({folder.write("d.jsonl", " \n ")}).value(), Rows{});
  EXPECT_EQ(read({folder.write("e.jsonl", "{\"long\": 1}")}, 5).error().code, ErrorCode::corrupt);
}

TEST(RowReader, Arrays) {
  const test::TempDir folder;
  EXPECT_EQ(read({folder.write("a.json", "\n[\n {\"a\": \"],\\\"}\"},\n{\"b\": [1, {}]} , 3]\n")}).value(),
            (Rows{{3, "{\"a\": \"],\\\"}\"}"}, {4, "{\"b\": [1, {}]} "}, {4, "3"}}));
  EXPECT_EQ(read({folder.write("b.json", "[ ]")}).value(), Rows{});
  EXPECT_EQ(read({folder.write("c.json", "[\"\\\\\", {}]")}).value(), (Rows{{1, "\"\\\\\""}, {1, "{}"}}));
  for (const char* bad : {"[", "[{}", "[{},", "[{},]", "[,]", "[{}] x", "[}]", "[\"a]", "[] []"})
    EXPECT_EQ(read({folder.write("bad.json", bad)}).error().code, ErrorCode::corrupt) << bad;
  EXPECT_EQ(read({folder.write("long.json", "[{\"long\": 1}]")}, 5).error().code, ErrorCode::corrupt);
}

TEST(RowReader, FilesLargerThanItsBuffer) {
  const test::TempDir folder;
  std::string lines, array = "[";
  Rows expected;
  for (int64_t i = 0; i < 3000; ++i) {
    const std::string row = "{\"n\": \"" + std::string(static_cast<size_t>(i % 700), 'x') + "\"}";
    expected.emplace_back(i + 1, row);
    lines += row + "\n";
    array += (i > 0 ? ",\n" : "") + row;
  }
  EXPECT_EQ(read({folder.write("a.jsonl", lines)}).value(), expected);
  EXPECT_EQ(read({folder.write("a.json", array + "]")}).value(), expected);
  const std::string zipped = (folder / "a.json.gz").string();
  gzFile file = gzopen(zipped.c_str(), "wb");
  gzwrite(file, (array + "]").data(), static_cast<unsigned>(array.size() + 1));
  gzclose(file);
  EXPECT_EQ(read({zipped}).value(), expected);
}

TEST(RowReader, Folders) {
  const test::TempDir folder;
  folder.write("b.jsonl", "2\n");
  folder.write("a.json", "[1]");
  folder.write("notes.txt", "no row");
  EXPECT_EQ(read({(folder / "").string()}).value(), (Rows{{1, "1"}, {1, "2"}}));
  EXPECT_EQ(read({(folder / "none").string()}).error().code, ErrorCode::not_found);
  folder.write("empty/notes.txt", "no row");
  EXPECT_EQ(read({(folder / "empty").string()}).error().code, ErrorCode::not_found);
  EXPECT_EQ(read({}).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace quern::data
