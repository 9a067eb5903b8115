#include "data/examples/preparation.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <numeric>
#include <optional>
#include <unordered_set>

#include "base/exception.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/threads.h"
#include "data/examples/row_reader.h"
#include "data/split.h"
#include "data/token_writer.h"

namespace quern::data {

namespace fs = std::filesystem;

namespace {

// Rows worked on between two writes: enough to keep every thread busy, little enough to keep memory flat.
constexpr size_t kBatchRows = 4096;
constexpr size_t kBatchBytes = size_t{16} << 20;

// A row on its way.
struct Work {
  RowReader::Row row;
  Example example;
  Refusal refusal;
  Hash128 hash;
  bool validation = false;
  std::vector<TokenDocument> documents;
};

TokenContent content_of(ExampleKind kind) {
  switch (kind) {
    case ExampleKind::preference:
      return TokenContent::preferences;
    case ExampleKind::unpaired:
      return TokenContent::unpaired;
    default:
      return TokenContent::supervised;
  }
}

std::string dump(const nlohmann::ordered_json& json) { return json.dump(); }

// What is asked: examples that share it are held out together.
std::string prompt_of(const Example& example) {
  if (example.kind != ExampleKind::conversation) return dump(example.prompt);
  nlohmann::ordered_json asked = nlohmann::ordered_json::array();
  for (const auto& message : example.answer) {
    if (message["role"] == "assistant") break;
    asked.push_back(message);
  }
  return dump(asked);
}

// Of everything the token files depend on.
Result<uint64_t> key_of(const PreparationOptions& options, const ExampleRenderer& renderer,
                        const std::vector<fs::path>& files) {
  Hasher hasher;
  hasher.add(renderer.fingerprint());
  for (const fs::path& file : files) {
    QUERN_TRY(const Hash128 hash, hash_file(file));
    hasher.add(hash);
  }
  for (const auto& [theirs, ours] : options.reader.renamed) hasher.add(theirs).add(ours);
  hasher.add(fmt::format("{}|{}|{}|{}|{}|{}|{}", name_of(options.reader.form),
                         options.reader.texts_are_messages, options.max_length,
                         static_cast<int>(options.too_long), static_cast<int>(options.duplicates),
                         options.validation, options.seed));
  return hasher.result().low;
}

// Where the examples of one side go.
class Output {
 public:
  static Result<Output> create(const PreparationOptions& options, std::string_view name, int64_t vocab_size,
                               uint64_t key, TokenContent content) {
    const bool tokens = options.form == PreparedForm::tokens;
    Output output;
    output.path_ = fs::path(options.folder) / fmt::format("{}.{}", name, tokens ? "tokens" : "jsonl");
    if (tokens) {
      QUERN_TRY(TokenWriter writer, TokenWriter::create(output.path_.string(), vocab_size, key, content));
      output.tokens_.emplace(std::move(writer));
    } else {
      QUERN_TRY(AtomicFile file, AtomicFile::create(output.path_));
      output.lines_.emplace(std::move(file));
    }
    return output;
  }

  Result<void> add(const Work& work) {
    if (lines_) return lines_->write(dump(to_json(work.example)) + "\n");
    for (const TokenDocument& document : work.documents)
      QUERN_CHECK(tokens_->add(document, work.row.text.size()));
    return {};
  }
  Result<void> finish() { return tokens_ ? tokens_->finish() : lines_->commit(); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  std::optional<TokenWriter> tokens_;
  std::optional<AtomicFile> lines_;
};

class PreparationRun {
 public:
  PreparationRun(const PreparationOptions& options, const ExampleRenderer& renderer, RowReader& reader,
                 uint64_t key, AtomicFile refused)
      : options_(options), renderer_(renderer), reader_(reader), key_(key), refused_(std::move(refused)) {
    report_.files = reader.files();
    report_.rows.assign(report_.files.size(), 0);
  }

  Result<PreparationReport> run(Progress& progress) {
    ProgressScope scope(progress, "preparing", 0, "rows");
    for (bool more = true; more;) {
      QUERN_TRY(more, read_batch());
      parallel_for(static_cast<int64_t>(batch_.size()), 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) prepare(batch_[static_cast<size_t>(i)]);
      });
      for (Work& work : batch_) QUERN_CHECK(take(work));
      scope.update(report_.row_count(), {{"left out", static_cast<double>(report_.refused_count())}});
      throw_if_interrupted();
    }
    if (report_.train.examples == 0) return nothing_left();
    QUERN_CHECK(train_->finish());
    if (validation_) QUERN_CHECK(validation_->finish());
    QUERN_CHECK(refused_.commit());
    scope.note(fmt::format("{} examples", report_.train.examples + report_.validation.examples));
    return std::move(report_);
  }

 private:
  Result<bool> read_batch() {
    batch_.clear();
    for (size_t bytes = 0; batch_.size() < kBatchRows && bytes < kBatchBytes;) {
      Work& work = batch_.emplace_back();
      QUERN_TRY(const bool any, reader_.next(work.row));
      if (!any) {
        batch_.pop_back();
        return false;
      }
      bytes += work.row.text.size();
      ++report_.rows[work.row.file];
    }
    return true;
  }

  // What needs no other row.
  void prepare(Work& work) const {
    work.refusal = read_example(work.row.text, options_.reader, work.example);
    if (work.refusal) return;
    work.hash = hash128(dump(to_json(work.example)));
    work.validation =
        options_.validation > 0.0 &&
        held_out(prompt_of(work.example),
                 {.mode = SplitMode::hash, .fraction = options_.validation, .seed = options_.seed});
    try {
      work.refusal = renderer_.render(work.example, work.documents);
    } catch (const Exception& exception) {  // a tokenizer that gives up on a hostile text
      work.refusal = {Fault::template_refused, exception.error().message};
    }
  }

  Result<void> take(Work& work) {
    const TokenContent content = content_of(work.example.kind);
    if (!work.refusal && content_ && *content_ != content)
      work.refusal = {Fault::other_kind,
                      fmt::format("an example of {}, after one of {}", name_of(content), name_of(*content_))};
    if (!work.refusal) QUERN_CHECK(check_duplicate(work));
    if (!work.refusal) QUERN_CHECK(fit(work));
    if (work.refusal) return refuse(work);
    if (!content_) QUERN_CHECK(begin(content));
    const bool to_validation = work.validation;
    QUERN_CHECK((to_validation ? *validation_ : *train_).add(work));
    count(work, to_validation ? report_.validation : report_.train);
    return {};
  }

  // The first example says what the files hold.
  Result<void> begin(TokenContent content) {
    content_ = report_.content = content;
    const int64_t vocab_size = renderer_.tokenizer().vocab_size();
    QUERN_TRY(Output train, Output::create(options_, "train", vocab_size, key_, content));
    report_.train.path = train.path();
    train_.emplace(std::move(train));
    if (options_.validation <= 0.0) return {};
    QUERN_TRY(Output validation, Output::create(options_, "validation", vocab_size, ~key_, content));
    report_.validation.path = validation.path();
    validation_.emplace(std::move(validation));
    return {};
  }

  Result<void> check_duplicate(Work& work) {
    if (options_.duplicates == Duplicates::keep || seen_.insert(work.hash.low ^ work.hash.high).second)
      return {};
    work.refusal = {Fault::duplicate, "a row before says the same"};
    return options_.duplicates == Duplicates::refuse ? Result<void>(error_of(work)) : Result<void>();
  }

  // Applies the limit of length.
  Result<void> fit(Work& work) {
    const auto limit = static_cast<size_t>(options_.max_length);
    size_t longest = 0;
    for (const TokenDocument& document : work.documents) longest = std::max(longest, document.tokens.size());
    report_.longest = std::max(report_.longest, static_cast<int64_t>(longest));
    if (longest <= limit) return {};
    work.refusal = {Fault::too_long, fmt::format("{} tokens, at most {} fit", longest, limit)};
    if (options_.too_long == TooLong::refuse) return error_of(work);
    if (options_.too_long == TooLong::drop) return {};
    for (TokenDocument& document : work.documents) {
      if (document.tokens.size() <= limit) continue;
      document.tokens.resize(limit);
      document.learnt.resize(limit);
      if (std::ranges::count(document.learnt, 1) == 0) return {};  // the prompt alone is too long
    }
    work.refusal = {};
    ++report_.truncated;
    return {};
  }

  Result<void> refuse(const Work& work) {
    const bool has_policy = work.refusal.fault == Fault::too_long || work.refusal.fault == Fault::duplicate;
    if (!has_policy && options_.bad_rows == BadRows::refuse) return error_of(work);
    ++report_.faults[static_cast<size_t>(work.refusal.fault)];
    const RefusedRow row{work.row.file, work.row.line, work.refusal};
    const nlohmann::ordered_json line = {{"file", report_.files[row.file].string()},
                                         {"line", row.line},
                                         {"fault", name_of(row.refusal.fault)},
                                         {"what", row.refusal.what}};
    QUERN_CHECK(refused_.write(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"));
    if (report_.refused.size() < kListedRefusals) report_.refused.push_back(row);
    return {};
  }

  Error error_of(const Work& work) const {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{}:{}: {}: {}", report_.files[work.row.file].string(), work.row.line,
                                  name_of(work.refusal.fault), work.refusal.what),
                      "correct the row, or choose to leave such rows out");
  }

  Error nothing_left() const {
    const auto most = std::ranges::max_element(report_.faults);
    if (*most == 0) return make_error(ErrorCode::invalid_argument, "the inputs have no rows");
    const auto fault = static_cast<Fault>(most - report_.faults.begin());
    const auto first = std::ranges::find_if(
        report_.refused, [&](const RefusedRow& row) { return row.refusal.fault == fault; });
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("none of {} rows is left to learn from; {} of them: {}",
                                  report_.row_count(), *most, name_of(fault)),
                      first == report_.refused.end()
                          ? std::string()
                          : fmt::format("{}:{}: {}", report_.files[first->file].string(), first->line,
                                        first->refusal.what));
  }

  void count(const Work& work, PreparedSide& side) {
    ++side.examples;
    for (const TokenDocument& document : work.documents) {
      const size_t length = document.tokens.size();
      side.tokens += static_cast<int64_t>(length);
      side.learnt += std::ranges::count(document.learnt, 1);
      const auto bin = static_cast<size_t>(std::bit_width(length)) - 1;
      if (report_.lengths.size() <= bin) report_.lengths.resize(bin + 1, 0);
      ++report_.lengths[bin];
    }
    if (static_cast<int64_t>(report_.samples.size()) >= options_.samples) return;
    LearntSample& sample = report_.samples.emplace_back(LearntSample{work.row.file, work.row.line, {}});
    for (const TokenDocument& document : work.documents)
      sample.documents.push_back(learnt_runs(renderer_.tokenizer(), document));
  }

  const PreparationOptions& options_;
  const ExampleRenderer& renderer_;
  RowReader& reader_;
  uint64_t key_;
  AtomicFile refused_;
  PreparationReport report_;
  std::vector<Work> batch_;
  std::optional<TokenContent> content_;
  std::optional<Output> train_, validation_;
  std::unordered_set<uint64_t> seen_;
};

}  // namespace

int64_t PreparationReport::row_count() const { return std::accumulate(rows.begin(), rows.end(), int64_t{0}); }

int64_t PreparationReport::refused_count() const {
  return std::accumulate(faults.begin(), faults.end(), int64_t{0});
}

Result<PreparationReport> prepare_examples(const PreparationOptions& options, const ExampleRenderer& renderer,
                                           Progress& progress) {
  QUERN_TRY(RowReader reader, RowReader::open(options.inputs));
  QUERN_TRY(const uint64_t key, key_of(options, renderer, reader.files()));
  QUERN_CHECK(make_directories(options.folder));
  QUERN_TRY(AtomicFile refused, AtomicFile::create(fs::path(options.folder) / "refused.jsonl"));
  return PreparationRun(options, renderer, reader, key, std::move(refused)).run(progress);
}

}  // namespace quern::data
