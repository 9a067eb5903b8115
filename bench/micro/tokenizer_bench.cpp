// Training and encoding speed of tokenizers:
//     tokenizer_bench [TEXT_FILE [SAVE_FOLDER]]           trains one of BPE
//     tokenizer_bench TEXT_FILE --open TOKENIZER_JSON     opens one
//
// Without a file it takes the text files of this system below /usr/share/doc and /usr/include, up to 100 MB. Lines are
// the texts that training counts. bench/scenarios/tokenizer_against_huggingface.py compares with another library.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <vector>

#include "base/file.h"
#include "base/threads.h"
#include "measure.h"
#include "text/bpe_trainer.h"
#include "text/unicode.h"

namespace {
using namespace quern;

constexpr size_t kMostBytes = 100'000'000;
constexpr size_t kEncodedBytes = 16'000'000;

std::string system_text() {
  namespace fs = std::filesystem;
  std::vector<fs::path> paths;
  for (const char* root : {"/usr/share/doc", "/usr/include"}) {
    std::error_code ignored;
    for (const auto& entry :
         fs::recursive_directory_iterator(root, fs::directory_options::skip_permission_denied, ignored)) {
      if (entry.is_regular_file(ignored) && entry.path().extension() != ".gz") paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::string text;
  for (const fs::path& path : paths) {
    if (text.size() >= kMostBytes) break;
    const auto content = read_file(path, 1 << 24);
    if (content.ok() && text::valid_utf8_prefix(*content) == content->size()) text += *content;
  }
  return text;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double megabytes(size_t bytes) { return static_cast<double>(bytes) / 1e6; }
// Encoding and decoding on one thread, in CPU time.
void report_use(const text::Tokenizer& tokenizer, std::string_view content) {
  const std::string_view sample = content.substr(0, kEncodedBytes);
  std::vector<text::TokenId> ids;
  const auto report = [&](std::string_view what, double seconds) {
    fmt::print("{}, 1 thread: {:.1f} MB/s ({:.2f} bytes per token)\n", what,
               megabytes(sample.size()) / seconds,
               static_cast<double>(sample.size()) / static_cast<double>(ids.size()));
  };
  report("encode one text",
         bench::best_seconds<bench::CpuClock>([&] { ids.clear(), tokenizer.encode(sample, ids); }, 2));
  const std::vector<std::string_view> sample_lines = lines_of(sample);
  const auto encode_lines = [&] {
    ids.clear();
    for (const std::string_view line : sample_lines) tokenizer.encode(line, ids);
  };
  report("encode lines", bench::best_seconds<bench::CpuClock>(encode_lines, 2));
  std::vector<std::vector<text::TokenId>> rows;
  for (const std::string_view line : sample_lines) rows.push_back(tokenizer.encode(line));
  const auto decode_lines = [&] {
    for (const auto& row : rows) (void)tokenizer.decode(row);
  };
  report("decode lines", bench::best_seconds<bench::CpuClock>(decode_lines, 1));
}

void open_and_use(const char* path, std::string_view content) {
  const double seconds = bench::best_seconds([&] { (void)text::Tokenizer::load(path).value(); }, 3);
  const text::Tokenizer tokenizer = text::Tokenizer::load(path).value();
  fmt::print("open {} of {} tokens: {:.1f} ms\n", tokenizer.model_type(), tokenizer.vocab_size(),
             seconds * 1e3);
  report_use(tokenizer, content);
}
}  // namespace

int main(int argc, char** argv) {
  const std::string content = argc > 1 ? read_file(argv[1]).value() : system_text();
  const std::vector<std::string_view> lines = lines_of(content);
  fmt::print("{:.1f} MB of text, {} lines\n", megabytes(content.size()), lines.size());

  if (argc == 4 && std::string_view(argv[2]) == "--open") return open_and_use(argv[3], content), 0;

  text::BpeTrainOptions options{.vocab_size = 32768, .pattern = "gpt2"};
  size_t next = 0;
  const auto source = [&]() -> std::optional<std::string_view> {
    return next < lines.size() ? std::optional(lines[next++]) : std::nullopt;
  };
  const double cpu = cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  const text::Tokenizer tokenizer = text::train_bpe(source, options, null_progress()).value();
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("train {} tokens, {} threads: {:.2f} s, {:.2f} s of CPU\n", tokenizer.vocab_size(),
             num_threads(), wall, cpu_seconds() - cpu);

  report_use(tokenizer, content);
  if (argc > 2) tokenizer.save(argv[2]).value();
  return 0;
}
