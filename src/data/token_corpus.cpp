#include "data/token_corpus.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "base/exception.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/threads.h"
#include "data/token_writer.h"

namespace quern::data {

namespace fs = std::filesystem;

namespace {

// Text tokenized between two writes: enough to keep every thread busy, little enough to keep memory flat.
constexpr size_t kBatchOfText = size_t{16} << 20;

// Raised when the same inputs would give other token files than before.
constexpr int kPreparation = 1;

// The key of everything the token files depend on.
Result<uint64_t> key_of(const TokenCorpusOptions& options, const Tokenization& tokenization,
                        const std::vector<fs::path>& files) {
  const ReaderOptions& reader = options.reader;
  std::string recipe =
      fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", kPreparation, tokenization.fingerprint,
                  tokenization.vocab_size, tokenization.begin, tokenization.end, reader.split_on,
                  reader.text_field, static_cast<int>(reader.invalid_utf8), reader.max_document_bytes,
                  static_cast<int>(options.split.mode), options.split.fraction, options.split.seed);
  if (const auto chat = reader.chat.source_for({}); chat.ok()) recipe += fmt::format("|{}", *chat);
  for (const fs::path& file : files) {
    QUERN_TRY(const Hash128 hash, hash_file(file));
    recipe +=
        fmt::format("|{}{}:{}", file.stem().extension().string(), file.extension().string(), hash.hex());
  }
  return hash64(recipe);
}

// SplitMode::automatic hashes when it can expect to hold out this many documents.
constexpr double kEnoughHeldOut = 20;

// What one pass over the corpus without tokenizing says: where the tail begins, and which split `automatic`
// means.
struct SplitPlan {
  bool tail = false;
  uint64_t train_bytes = 0;
};

Result<SplitPlan> plan_split(const TokenCorpusOptions& options) {
  SplitPlan plan;
  if (options.split.fraction == 0.0 || options.split.mode == SplitMode::hash) return plan;
  QUERN_TRY(DocumentReader reader, open_corpus(options.inputs, options.reader));
  Document document;
  for (;;) {
    QUERN_TRY(const bool any, reader.next(document));
    if (!any) break;
    throw_if_interrupted();
    const auto whole = static_cast<double>(reader.statistics().documents - reader.statistics().cut_documents);
    if (options.split.mode == SplitMode::automatic && whole * options.split.fraction >= kEnoughHeldOut)
      return plan;
  }
  plan.tail = true;
  plan.train_bytes =
      static_cast<uint64_t>(static_cast<double>(reader.statistics().bytes) * (1.0 - options.split.fraction));
  return plan;
}

// A document, or a side of the one at the border of a tail split, on its way to a token file.
struct Part {
  std::string text;
  bool validation;
  std::vector<int32_t> tokens;
  std::optional<Error> error;  // why there are none
};

class TokenizationRun {
 public:
  TokenizationRun(const TokenCorpusOptions& options, const Tokenization& tokenization, SplitPlan plan,
                  TokenWriter train, std::optional<TokenWriter> validation)
      : options_(options),
        tokenization_(tokenization),
        plan_(plan),
        train_(std::move(train)),
        validation_(std::move(validation)) {}

  Result<void> run(DocumentReader& reader, Progress& progress) {
    ProgressScope scope(progress, "tokenizing", 0, "bytes");
    Document document;
    for (bool more = true; more;) {
      size_t bytes = 0;
      parts_.clear();
      while (bytes < kBatchOfText) {
        QUERN_TRY(more, reader.next(document));
        if (!more) break;
        bytes += document.text.size();
        place(std::move(document.text));
      }
      encode();
      QUERN_CHECK(write());
      scope.update(reader.statistics().bytes);
      throw_if_interrupted();
    }
    if (reader.statistics().documents == 0) return empty_corpus(reader.statistics());
    scope.note(fmt::format("{} documents", reader.statistics().documents));
    QUERN_CHECK(train_.finish());
    if (validation_) QUERN_CHECK(validation_->finish());
    return {};
  }

 private:
  void place(std::string text) {
    if (!plan_.tail) {
      const bool validation = held_out(text, options_.split);
      parts_.push_back({std::move(text), validation, {}, {}});
      return;
    }
    const size_t cut = tail_cut(text, plan_.train_bytes - std::min<uint64_t>(passed_, plan_.train_bytes));
    passed_ += text.size();
    if (cut > 0) parts_.push_back({text.substr(0, cut), false, {}, {}});
    if (cut < text.size()) parts_.push_back({text.substr(cut), true, {}, {}});
  }

  void encode() {
    parallel_for(static_cast<int64_t>(parts_.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) encode(parts_[static_cast<size_t>(i)]);
    });
  }

  void encode(Part& part) const {
    try {
      if (tokenization_.begin >= 0) part.tokens.push_back(tokenization_.begin);
      tokenization_.encode(part.text, part.tokens);
      if (tokenization_.end >= 0) part.tokens.push_back(tokenization_.end);
    } catch (const Exception& exception) {
      part.error = exception.error();
    }
  }

  Result<void> write() {
    for (const Part& part : parts_) {
      if (part.error) return *part.error;
      QUERN_CHECK((part.validation ? *validation_ : train_).add(part.tokens, part.text.size()));
    }
    return {};
  }

  const TokenCorpusOptions& options_;
  const Tokenization& tokenization_;
  SplitPlan plan_;
  TokenWriter train_;
  std::optional<TokenWriter> validation_;
  std::vector<Part> parts_;
  uint64_t passed_ = 0;  // bytes of the corpus before this document
};

// The files of an earlier run, if both are there and whole.
std::optional<TokenCorpus> reuse(const std::string& train_path, const std::string& validation_path,
                                 bool held_out, uint64_t key) {
  TokenCorpus corpus;
  auto train = TokenDataset::open(train_path);
  if (!train.ok() || train->key() != key) return std::nullopt;
  corpus.train = std::move(*train);
  if (held_out) {
    auto validation = TokenDataset::open(validation_path);
    if (!validation.ok() || validation->key() != key) return std::nullopt;
    corpus.validation = std::move(*validation);
  }
  corpus.reused = true;
  return corpus;
}

}  // namespace

Result<TokenCorpus> prepare_tokens(const TokenCorpusOptions& options, const Tokenization& tokenization,
                                   Progress& progress) {
  const double fraction = options.split.fraction;
  if (!(fraction >= 0.0 && fraction < 1.0))
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("validation share: expected 0 to less than 1, got {}", fraction));
  QUERN_TRY(DocumentReader reader, open_corpus(options.inputs, options.reader));
  QUERN_TRY(const uint64_t key, key_of(options, tokenization, reader.files()));
  QUERN_CHECK(make_directories(options.folder));
  const std::string stem = (fs::path(options.folder) / fmt::format("{:016x}", key)).string();
  const std::string train_path = stem + ".train.tokens", validation_path = stem + ".validation.tokens";
  const bool holds_out = fraction > 0.0;
  if (auto corpus = reuse(train_path, validation_path, holds_out, key)) {
    corpus->statistics.files = static_cast<int64_t>(reader.files().size());
    return std::move(*corpus);
  }
  QUERN_TRY(const SplitPlan plan, plan_split(options));
  QUERN_TRY(TokenWriter train, TokenWriter::create(train_path, tokenization.vocab_size, key));
  std::optional<TokenWriter> validation;
  if (holds_out) {
    QUERN_TRY(TokenWriter writer, TokenWriter::create(validation_path, tokenization.vocab_size, key));
    validation.emplace(std::move(writer));
  }
  TokenizationRun preparation(options, tokenization, plan, std::move(train), std::move(validation));
  QUERN_CHECK(preparation.run(reader, progress));

  TokenCorpus corpus;
  QUERN_TRY(corpus.train, TokenDataset::open(train_path));
  if (holds_out) {
    QUERN_TRY(corpus.validation, TokenDataset::open(validation_path));
  }
  corpus.statistics = reader.statistics();
  return corpus;
}

}  // namespace quern::data
