#include "data/synth/corpus.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/threads.h"
#include "data/synth/documents.h"
#include "data/synth/overlap.h"

namespace quern::data::synth {

namespace {

constexpr int64_t kHeldOutShare = 50;  // one held-out document for this many in training

std::string row(const nlohmann::ordered_json& fields) { return fields.dump() + "\n"; }

// Writes `count` documents of one side, made on all threads and written in order; hands each to `seen`.
template <class Seen>
Result<int64_t> write_documents(const std::string& path, Side side, int64_t count,
                                const CorpusOptions& options, ProgressScope* progress, const Seen& seen) {
  constexpr int64_t kBlock = 1024;
  const auto make = options.plain ? make_plain_document : make_document;
  QUERN_TRY(AtomicFile file, AtomicFile::create(path));
  std::vector<std::string> block;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    throw_if_interrupted();
    block.assign(static_cast<size_t>(std::min(kBlock, count - begin)), {});
    parallel_for(static_cast<int64_t>(block.size()), 64, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i)
        block[static_cast<size_t>(i)] = make(side, options.seed, static_cast<uint64_t>(begin + i));
    });
    for (const std::string& text : block) {
      seen(text);
      QUERN_CHECK(file.write(row({{"text", text}})));
    }
    if (progress) progress->update(begin + static_cast<int64_t>(block.size()));
  }
  const auto bytes = static_cast<int64_t>(file.position());
  QUERN_CHECK(file.commit());
  return bytes;
}

Result<int64_t> write_questions(const std::string& path, const CorpusOptions& options, OverlapMeter& meter) {
  QUERN_TRY(AtomicFile file, AtomicFile::create(path));
  std::set<std::string> prompts;
  for (int64_t i = 0; i < options.questions; ++i) {
    const Question question = make_question(options.seed, static_cast<uint64_t>(i));
    if (!prompts.insert(question.prompt).second) continue;
    meter.add_question(question.prompt);
    QUERN_CHECK(
        file.write(row({{"prompt", question.prompt}, {"answer", question.answer}, {"kind", question.kind}})));
  }
  QUERN_CHECK(file.commit());
  return static_cast<int64_t>(prompts.size());
}

std::string normalised(std::string_view answer) {
  constexpr std::string_view kSpace = " \t\r\n";
  std::string text;
  for (const char c : answer) {
    const bool space = kSpace.find(c) != std::string_view::npos;
    if (space && (text.empty() || text.back() == ' ')) continue;
    text += space ? ' ' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if (text.ends_with(' ')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

}  // namespace

nlohmann::ordered_json as_json(const CorpusReport& report) {
  const Overlap& overlap = report.overlap;
  return {{"documents", report.documents},
          {"held_out", report.held_out},
          {"questions", report.questions},
          {"bytes", report.bytes},
          {"words", report.words},
          {"vocabulary", report.vocabulary},
          {"overlap",
           {{"documents", overlap.documents},
            {"questions", overlap.questions},
            {"sentences", overlap.sentences},
            {"eight_words", overlap.eight_words}}}};
}

Result<CorpusReport> write_corpus(const std::string& folder, const CorpusOptions& options,
                                  Progress& progress) {
  if (options.documents < 1 || options.questions < 1)
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("synthetic corpus: expected at least one document and one question, got {} and {}",
                    options.documents, options.questions));
  QUERN_CHECK(make_directories(folder));
  const auto path = [&](const char* name) { return (std::filesystem::path(folder) / name).string(); };
  ProgressScope scope(progress, "writing stories", options.documents, "documents");
  CorpusReport report;
  OverlapMeter meter;
  report.documents = options.documents;
  report.held_out = (options.documents + kHeldOutShare - 1) / kHeldOutShare;
  QUERN_TRY(report.bytes, write_documents(path("train.jsonl"), Side::train, report.documents, options, &scope,
                                          [&](const std::string& text) { meter.add_train(text); }));
  QUERN_CHECK(write_documents(path("heldout.jsonl"), Side::held_out, report.held_out, options, nullptr,
                              [&](const std::string& text) { meter.add_held_out(text); }));
  QUERN_TRY(report.questions, write_questions(path("questions.jsonl"), options, meter));
  report.words = meter.words();
  report.vocabulary = meter.vocabulary();
  report.overlap = meter.overlap();
  QUERN_CHECK(write_file_atomic(path("report.json"), as_json(report).dump(2) + "\n"));
  return report;
}

Result<std::vector<Question>> read_questions(const std::string& path) {
  QUERN_TRY(const std::string text, read_file(path));
  std::vector<Question> questions;
  int64_t line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    ++line_number;
    const auto fields = nlohmann::json::parse(text.substr(begin, end - begin), nullptr, false);
    const auto has = [&](const char* name) {
      return fields.is_object() && fields.contains(name) && fields[name].is_string();
    };
    if (!has("prompt") || !has("answer") || !has("kind"))
      return make_error(ErrorCode::corrupt,
                        fmt::format("{}:{}: expected an object with the strings prompt, answer and kind",
                                    path, line_number),
                        "make the questions again with: quern data synth");
    questions.push_back({fields["prompt"], fields["answer"], fields["kind"]});
    begin = end + 1;
  }
  return questions;
}

bool check_answer(std::string_view expected, std::string_view got) {
  return normalised(expected) == normalised(got);
}

}  // namespace quern::data::synth
