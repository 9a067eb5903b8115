#include "text/tokenizer_files.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace quern::text {

namespace {

namespace fs = std::filesystem;
using Format = TokenizerFormat;

struct KnownName {
  std::string_view name;
  Format format;
};

// In the order of preference: what says most comes first.
constexpr KnownName kNames[] = {
    {"tokenizer.json", Format::tokenizer_json}, {"vocab.json", Format::merges},
    {"tokenizer.model", Format::sentencepiece}, {"spiece.model", Format::sentencepiece},
    {"spm.model", Format::sentencepiece},       {"sentencepiece.bpe.model", Format::sentencepiece},
    {"vocab.txt", Format::word_pieces},
};

constexpr std::string_view kRanks = ".tiktoken";

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// The first rank file of a folder, by name; empty when there is none.
fs::path rank_file(const fs::path& folder) {
  fs::path first;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const fs::path& path = at->path();
    if (path.extension() == kRanks && (first.empty() || path < first)) first = path;
  }
  return first;
}

Error lacks_tokenizer(const fs::path& folder) {
  std::string names;
  for (const auto& [name, format] : kNames) {
    names.append(names.empty() ? "" : ", ").append(name);
    if (format == Format::merges) names += " with merges.txt";
  }
  names.append(", *").append(kRanks);
  std::string hint = "copy the tokenizer of the base model";
  for (const auto& [there, missing] : {std::pair("vocab.json", "merges.txt"), {"merges.txt", "vocab.json"}}) {
    if (is_file(folder / there)) hint = fmt::format("it holds {}, which needs {}", there, missing);
  }
  return make_error(ErrorCode::not_found,
                    fmt::format("{} has no tokenizer: looked for {}", folder.string(), names),
                    std::move(hint));
}

}  // namespace

Result<TokenizerFile> find_tokenizer_file(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    for (const auto& [name, format] : kNames) {
      if (format == Format::merges && !is_file(path / "merges.txt")) continue;
      if (is_file(path / name)) return TokenizerFile{path / name, format};
    }
    if (const fs::path ranks = rank_file(path); !ranks.empty()) return TokenizerFile{ranks, Format::tiktoken};
    return lacks_tokenizer(path);
  }
  if (path.filename() == "vocab.json" || path.filename() == "merges.txt")
    return TokenizerFile{path.parent_path() / "vocab.json", Format::merges};
  if (path.filename() == "vocab.txt") return TokenizerFile{path, Format::word_pieces};
  if (path.extension() == kRanks) return TokenizerFile{path, Format::tiktoken};
  if (path.extension() == ".model") return TokenizerFile{path, Format::sentencepiece};
  return TokenizerFile{path, Format::tokenizer_json};
}

}  // namespace quern::text
