#include "data/examples/preparation.h"

#include <gtest/gtest.h>

#include <set>

#include "base/file.h"
#include "base/threads.h"
#include "data/supervised_sampler.h"
#include "support/temp_dir.h"
#include "text/bpe_trainer.h"

namespace quern::data {
namespace {

ExampleRenderer renderer() {
  text::BpeTrainOptions options;
  options.special_tokens = {"<|im_start|>", "<|im_end|>"};
  options.eos_token = "<|im_end|>";
  options.vocab_size = 256 + 2;
  std::optional<std::string_view> text = "text";
  ExampleLanguage language{.tokenizer = text::train_bpe([&] { return std::exchange(text, std::nullopt); },
                                                        options, null_progress())
                                            .value()};
  language.templates
      .add("default",
           "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' }}{% "
           "endfor %}"
           "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
      .value();
  language.end_tokens = {*language.tokenizer.token_to_id("<|im_end|>")};
  return ExampleRenderer::create(std::move(language), {}).value();
}

std::string alpaca(int i) {
  return "{\"instruction\": \"question " + std::to_string(i) + "\", \"output\": \"answer " +
         std::to_string(i) + "\"}\n";
}

class PreparationTest : public testing::Test {
 protected:
  PreparationOptions options(const std::string& rows, const std::string& name = "rows.jsonl") const {
    PreparationOptions options;
    options.inputs = {folder_.write(name, rows)};
    options.folder = (folder_ / "out").string();
    return options;
  }
  const test::TempDir folder_;
  const ExampleRenderer renderer_ = renderer();
};

TEST_F(PreparationTest, AccountsForEveryRow) {
  const std::string rows =
      alpaca(1) + "nonsense\n" + alpaca(2) + alpaca(1) +
      "{\"instruction\": \"\", \"output\": \"x\"}\n{\"instruction\": \"a\", \"output\": \"\"}\n" +
      "{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\"}\n{\"instruction\": \"a\", \"output\": \"" +
      std::string(500, 'x') + "\"}\n";
  PreparationOptions options = this->options(rows);
  options.max_length = 200;
  const PreparationReport report = prepare_examples(options, renderer_).value();
  EXPECT_EQ(report.row_count(), 8);
  EXPECT_EQ(report.train.examples, 2);
  EXPECT_EQ(report.refused_count(), 6);
  std::vector<std::pair<int64_t, std::string>> refused;
  for (const RefusedRow& row : report.refused) refused.emplace_back(row.line, name_of(row.refusal.fault));
  EXPECT_EQ(refused, (std::vector<std::pair<int64_t, std::string>>{{2, "not_json"},
                                                                   {4, "duplicate"},
                                                                   {5, "no_prompt"},
                                                                   {6, "empty_answer"},
                                                                   {7, "other_kind"},
                                                                   {8, "too_long"}}));
  const std::string listed = read_file((folder_ / "out/refused.jsonl").string()).value();
  EXPECT_EQ(std::ranges::count(listed, '\n'), 6);
  EXPECT_GT(report.longest, 500);

  const TokenDataset dataset = TokenDataset::open(report.train.path.string()).value();
  EXPECT_EQ(dataset.content(), TokenContent::supervised);
  EXPECT_EQ(dataset.document_count(), 2);
  EXPECT_EQ(dataset.token_count(), report.train.tokens);
  EXPECT_EQ(SupervisedSampler::create(dataset, {}).value().target_count(), report.train.learnt);
  ASSERT_EQ(report.samples.size(), 2u);
  EXPECT_EQ(report.samples[1].line, 3);
  EXPECT_EQ(report.samples[1].documents[0][1], "answer 2<|im_end|>");
}

TEST_F(PreparationTest, PoliciesThatRefuseNameTheRow) {
  const auto error_of = [&](const std::string& rows, const auto& set) {
    PreparationOptions options = this->options(rows);
    options.max_length = 60;
    set(options);
    const auto report = prepare_examples(options, renderer_);
    return report.ok() ? std::string() : report.error().message;
  };
  const std::string place = (folder_ / "rows.jsonl").string();
  const auto nothing = [](PreparationOptions&) {};
  EXPECT_EQ(error_of(alpaca(1) + "x\n", nothing), "");
  EXPECT_EQ(error_of(alpaca(1) + "{}\n", [](auto& o) { o.bad_rows = BadRows::refuse; })
                .find(place + ":2: unknown_form"),
            0u);
  EXPECT_EQ(error_of(alpaca(1) + alpaca(1), [](auto& o) { o.duplicates = Duplicates::refuse; }),
            place + ":2: duplicate: a row before says the same");
  EXPECT_EQ(error_of(alpaca(1),
                     [](auto& o) {
                       o.too_long = TooLong::refuse;
                       o.max_length = 10;
                     })
                .find(place + ":1: too_long"),
            0u);
  EXPECT_EQ(error_of("x\ny\n" + std::string("{}\n"), nothing),
            "none of 3 rows is left to learn from; 2 of them: not_json");
  EXPECT_EQ(error_of("", nothing), "the inputs have no rows");
}

TEST_F(PreparationTest, TruncatesWhatHasSomethingLeftToLearn) {
  const std::string row = "{\"instruction\": \"q\", \"output\": \"" + std::string(100, 'x') + "\"}\n";
  const std::string hopeless = "{\"instruction\": \"" + std::string(100, 'q') + "\", \"output\": \"x\"}\n";
  PreparationOptions options = this->options(row + hopeless);
  options.too_long = TooLong::truncate;
  options.max_length = 50;
  const PreparationReport report = prepare_examples(options, renderer_).value();
  EXPECT_EQ(report.truncated, 1);
  EXPECT_EQ(report.train.tokens, 50);
  EXPECT_EQ(report.faults[static_cast<size_t>(Fault::too_long)], 1);
}

// The same bytes whatever the threads, and no prompt on both sides.
TEST_F(PreparationTest, HoldsPromptsOutAndDependsOnNoThread) {
  std::string rows;
  for (int i = 0; i < 400; ++i) {
    const std::string question = std::to_string(i / 2);
    rows += "{\"prompt\": \"question " + question + " \", \"chosen\": \"good " + std::to_string(i) +
            "\", \"rejected\": \"bad\", \"margin\": 1}\n";
  }
  PreparationOptions options = this->options(rows);
  options.validation = 0.2;
  const int threads = num_threads();
  std::string bytes;
  for (const int count : {1, 3}) {
    set_num_threads(count);
    const PreparationReport report = prepare_examples(options, renderer_).value();
    EXPECT_EQ(report.content, TokenContent::preferences);
    EXPECT_EQ(report.train.examples + report.validation.examples, 400);
    EXPECT_NEAR(static_cast<double>(report.validation.examples), 80, 30);
    const std::string now = read_file(report.train.path).value() + read_file(report.validation.path).value();
    if (bytes.empty()) bytes = now;
    EXPECT_EQ(now, bytes);
  }
  set_num_threads(threads);
  options.form = PreparedForm::jsonl;
  const PreparationReport report = prepare_examples(options, renderer_).value();
  std::set<std::string> prompts[2];
  for (const auto* side : {&report.train, &report.validation}) {
    const std::string lines = read_file(side->path).value();
    for (size_t at = 0; at < lines.size(); at = lines.find('\n', at) + 1)
      prompts[side == &report.train ? 0 : 1].insert(
          nlohmann::json::parse(lines.substr(at, lines.find('\n', at) - at))["prompt"].get<std::string>());
  }
  for (const std::string& prompt : prompts[0]) EXPECT_FALSE(prompts[1].contains(prompt)) << prompt;
  // What was written is read as the same.
  options.inputs = {report.train.path.string()};
  options.folder = (folder_ / "again").string();
  options.validation = 0.0;
  const PreparationReport again = prepare_examples(options, renderer_).value();
  EXPECT_EQ(read_file(again.train.path).value(), read_file(report.train.path).value());
}

}  // namespace
}  // namespace quern::data
