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

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

Error lacks_tokenizer(const fs::path& folder) {
  std::string names;
  for (const auto& [name, format] : kNames) {
    names.append(names.empty() ? "" : ", ").append(name);
    if (format == Format::merges) names += " with merges.txt";
  }
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
    return lacks_tokenizer(path);
  }
  if (path.filename() == "vocab.json" || path.filename() == "merges.txt")
    return TokenizerFile{path.parent_path() / "vocab.json", Format::merges};
  if (path.filename() == "vocab.txt") return TokenizerFile{path, Format::word_pieces};
  if (path.extension() == ".model") return TokenizerFile{path, Format::sentencepiece};
  return TokenizerFile{path, Format::tokenizer_json};
}

}  // namespace quern::text
