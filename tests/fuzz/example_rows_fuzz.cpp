// Any bytes as a file of rows, and as one row: what is read of them is written and read as the same again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "data/examples/read_example.h"
#include "data/examples/row_reader.h"

namespace {

using namespace quern::data;

// The bytes, a few at a time.
class Memory : public ByteSource {
 public:
  explicit Memory(std::string_view bytes) : bytes_(bytes) {}
  quern::Result<size_t> read(std::span<char> out) override {
    const size_t count = std::min({out.size(), bytes_.size(), size_t{7}});
    std::copy_n(bytes_.begin(), count, out.begin());
    bytes_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view bytes_;
};

void read_row(std::string_view row, const ExampleOptions& options) {
  Example example, again;
  if (read_example(row, options, example)) return;
  const std::string written = to_json(example).dump();
  if (read_example(written, {}, again) || !(again == example)) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  RowSplitter splitter(std::make_unique<Memory>(text), "fuzz", 1 << 16);
  RowSplitter::Row row;
  for (;;) {
    const auto any = splitter.next(row);
    if (!any.ok() || !*any) break;
    for (const ExampleForm form : {ExampleForm::automatic, ExampleForm::alpaca, ExampleForm::sharegpt,
                                   ExampleForm::completion, ExampleForm::preference, ExampleForm::unpaired})
      read_row(row.text,
               {.form = form, .renamed = {{"question", "prompt"}}, .texts_are_messages = size % 2 == 1});
  }
  return 0;
}
