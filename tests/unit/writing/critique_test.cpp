// Constitutions, critiques and revisions, and judgements of pairs.
#include "writing/critique.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "data/examples/messages.h"
#include "support/temp_dir.h"
#include "unit/writing/scripted_respondent.h"
#include "writing/ai_preference.h"
#include "writing/reply_journal.h"

namespace quern::writing {
namespace {

using testing::HasSubstr;

Result<Constitution> constitution_of(const std::string& text, const std::string& name = "c.yaml") {
  static const test::TempDir folder;
  std::ofstream(folder / name) << text;
  return read_constitution(folder / name);
}

Constitution three_principles() {
  Constitution constitution;
  for (const char* name : {"x", "y", "z"})
    constitution.principles.push_back({name, std::string("criticise ") + name, std::string("revise ") + name,
                                       std::string("prefer ") + name});
  return constitution;
}

align::PromptSet prompts(int count) {
  std::vector<align::Prompt> all;
  for (int i = 0; i < count; ++i) {
    align::Prompt prompt;
    prompt.asked = nlohmann::ordered_json::array({data::message_of("user", "p" + std::to_string(i))});
    prompt.row = {{"prompt", prompt.asked}};
    all.push_back(std::move(prompt));
  }
  return align::PromptSet(std::move(all));
}

TEST(Constitution, IsReadAsYamlAndJson) {
  const auto yaml = constitution_of(
                        "principles:\n- name: harm\n  critique: What is wrong?\n  revision: Mend it.\n"
                        "- critique: c\n  revision: r\n  preference: Which?\n")
                        .value();
  ASSERT_EQ(yaml.principles.size(), 2u);
  EXPECT_EQ(yaml.principles[0].name, "harm");
  EXPECT_EQ(yaml.principles[0].critique, "What is wrong?");
  EXPECT_EQ(yaml.principles[1].name, "principle 2");
  EXPECT_TRUE(yaml.has_preferences());
  EXPECT_EQ(&yaml.drawn_preference(1, 2), &yaml.principles[1]) << "the only one with a preference";
  const auto json = constitution_of("[{\"critique\": \"c\", \"revision\": \"r\"}]", "c.json").value();
  EXPECT_FALSE(json.has_preferences());
  EXPECT_NE(json.key(), yaml.key());
}

TEST(Constitution, SaysWhatIsMissingAndWhere) {
  const auto error = [](const std::string& text) { return constitution_of(text).error().message; };
  EXPECT_THAT(error(""), HasSubstr("c.yaml: there are no principles"));
  EXPECT_THAT(error("principles: []"), HasSubstr("there are no principles"));
  EXPECT_THAT(error("- critique: c\n  revision: r\n- critique: c\n"),
              HasSubstr("c.yaml:3: principle 2: revision is missing"));
  EXPECT_THAT(error("- critique: ''\n  revision: r\n"), HasSubstr("principle 1: critique is missing"));
  EXPECT_THAT(error("- critique: c\n  revison: r\n"),
              HasSubstr("c.yaml:2: principle 1: unknown field 'revison'"));
  EXPECT_THAT(error("- just a text\n"), HasSubstr("expected a map"));
  EXPECT_THAT(error("- critique: [1]\n"), HasSubstr("critique: expected text"));
  EXPECT_THAT(error("- critique: 'c\n"), HasSubstr("c.yaml:"));
}

TEST(Constitution, DrawsEveryPrincipleBeforeOneComesAgain) {
  const Constitution constitution = three_principles();
  std::set<std::string> orders;
  std::map<std::string, int> preferred;
  for (uint64_t item = 0; item < 60; ++item) {
    for (uint64_t first : {0, 3}) {
      std::set<std::string> names;
      std::string order;
      for (uint64_t round = first; round < first + 3; ++round) {
        names.insert(constitution.drawn(5, item, round).name);
        order += constitution.drawn(5, item, round).name;
      }
      EXPECT_EQ(names.size(), 3u);
      orders.insert(order);
    }
    ++preferred[constitution.drawn_preference(5, item).name];
  }
  EXPECT_GE(orders.size(), 5u) << "of six";
  EXPECT_EQ(preferred.size(), 3u);
}

// What it was asked, in brackets, so that texts tell how they came to be.
Reply record(const Question& asked, const AskOptions&) {
  std::string text;
  for (const auto& message : asked.asked) text += "[" + message["content"].get<std::string>() + "]";
  return {.text = " " + text + "\n"};
}

TEST(Critique, ShowsEachStepWhatCameBefore) {
  ScriptedRespondent model(record);
  const Constitution constitution = three_principles();
  const CritiqueOptions options{.rounds = 2, .how = {.seed = 4}};
  const auto all = critique(prompts(3), 0, 3, constitution, options, model).value();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(model.asked.size(), 3u * 5u);
  for (uint64_t i = 0; i < 3; ++i) {
    const std::string p = "[p" + std::to_string(i) + "]";
    const std::string first = constitution.drawn(4, i, 0).name, second = constitution.drawn(4, i, 1).name;
    const Revised& r = all[i];
    EXPECT_TRUE(r.kept());
    EXPECT_EQ(r.initial, p);
    ASSERT_EQ(r.revisions.size(), 2u);
    EXPECT_EQ(r.revisions[0].principle, first);
    EXPECT_EQ(r.revisions[0].critique, p + "[" + r.initial + "][criticise " + first + "]");
    EXPECT_EQ(r.revisions[0].text, p + "[" + r.initial + "][criticise " + first + "][" +
                                       r.revisions[0].critique + "][revise " + first + "]");
    // The second round begins with the revision of the first.
    EXPECT_EQ(r.revisions[1].critique, p + "[" + r.revisions[0].text + "][criticise " + second + "]");
    EXPECT_EQ(r.text(), r.revisions[1].text);
  }
}

TEST(Critique, LeavesOutWhatFailsAtAnyStepAndGoesOnWithTheRest) {
  ScriptedRespondent model([](const Question& asked, const AskOptions& how) -> Reply {
    const std::string p = asked.asked[0]["content"].get<std::string>();
    const size_t step = asked.asked.size() / 2;  // 0 answer, 1 critique, 2 revision
    if (p == "p0" && step == 0) return {.text = "", .refusal = "against its rules"};
    if (p == "p1" && step == 1) return {.text = "half", .ended = false};
    if (p == "p2" && step == 2) return {.text = " \n"};
    return record(asked, how);
  });
  CritiqueOptions options{.rounds = 1, .how = {.seed = 4}};
  const auto all = critique(prompts(4), 0, 4, three_principles(), options, model).value();
  EXPECT_EQ(all[0].reason, "refused");
  EXPECT_THAT(all[0].what, HasSubstr("against its rules"));
  EXPECT_EQ(all[1].reason, "cut_off");
  EXPECT_THAT(all[1].what, HasSubstr("critique"));
  EXPECT_EQ(all[2].reason, "empty");
  EXPECT_THAT(all[2].what, HasSubstr("revision"));
  EXPECT_TRUE(all[3].kept());
  EXPECT_EQ(model.asked.size(), 4u + 3u + 2u);
  options.cut_off = true;
  EXPECT_TRUE(critique(prompts(4), 0, 4, three_principles(), options, model).value()[1].kept());
}

TEST(Critique, AsksThePromptsOfAPieceAsOfTheWhole) {
  ScriptedRespondent whole(record), pieces(record);
  const CritiqueOptions options{.rounds = 1, .how = {.seed = 4}};
  (void)critique(prompts(4), 0, 4, three_principles(), options, whole).value();
  for (const int64_t begin : {0, 2})
    (void)critique(prompts(4), begin, begin + 2, three_principles(), options, pieces).value();
  std::map<uint64_t, nlohmann::ordered_json> of_whole, of_pieces;
  for (const Question& q : whole.asked) of_whole[q.stream] = q.asked;
  for (const Question& q : pieces.asked) of_pieces[q.stream] = q.asked;
  EXPECT_EQ(of_whole.size(), 12u);
  EXPECT_EQ(of_whole, of_pieces);
}

// --- preferences

Compared weighed(std::vector<double> first, std::vector<double> second) {
  Compared compared;
  weigh(first, second, {}, compared);
  return compared;
}

TEST(AiPreference, IsTheMeanOfBothOrders) {
  // The first answer at A: 0.6 / 0.8; at B: 0.3 / 0.5.
  const Compared compared = weighed({0.6, 0.2}, {0.2, 0.3});
  EXPECT_TRUE(compared.kept());
  EXPECT_NEAR(compared.orders[0], 0.75, 1e-12);
  EXPECT_NEAR(compared.orders[1], 0.6, 1e-12);
  EXPECT_NEAR(compared.first, 0.675, 1e-12);
  EXPECT_EQ(compared.chosen(), 0);
  const Compared other = weighed({0.1, 0.9}, {0.8, 0.2});
  EXPECT_EQ(other.chosen(), 1);
  EXPECT_NEAR(other.probability(), 0.85, 1e-12);
}

TEST(AiPreference, LeavesOutWhatIsNoPreference) {
  EXPECT_EQ(weighed({0.9, 0.1}, {0.9, 0.1}).reason, "inconsistent") << "A whatever stands there";
  EXPECT_EQ(weighed({0.52, 0.48}, {0.48, 0.52}).reason, "tie");
  EXPECT_EQ(weighed({0.5, 0.5}, {0.5, 0.5}).reason, "tie");
  EXPECT_EQ(weighed({0.9, 0.1}, {0.001, 0.002}).reason, "no_choice");
  EXPECT_EQ(weighed({0.0, 0.0}, {0.0, 0.0}).reason, "no_choice");
  EXPECT_EQ(weighed({1.0, 0.0}, {0.0, 1.0}).probability(), 1.0);
}

// Answers by stream; judges that the longer answer is better, and A a little, whatever stands there.
Reply judge(const Question& asked, const AskOptions& how) {
  if (how.choices.empty()) return {.text = std::string(2 + asked.stream * 7 % 5, 'w')};
  const std::string text = last_of(asked);
  const size_t a = text.find("(A) ") + 4, b = text.find("(B) ") + 4;
  const size_t length_a = text.find("\n", a) - a, length_b = text.find("\n", b) - b;
  const double p = length_a > length_b ? 0.9 : length_a == length_b ? 0.55 : 0.2;
  return {.text = "A", .choices = {p, 1.0 - p}};
}

TEST(AiPreference, AsksInBothOrders) {
  ScriptedRespondent model(judge);
  const PreferenceOptions options{.how = {.seed = 3}};
  const auto all = compare(prompts(10), 0, 10, three_principles(), options, model, model).value();
  std::map<uint64_t, std::string> judged;
  for (const Question& asked : model.asked)
    if (last_of(asked).find("Answer with one letter") != std::string::npos)
      judged[asked.stream] = last_of(asked);
  int kept = 0;
  for (uint64_t i = 0; i < 10; ++i) {
    const Compared& compared = all[i];
    const std::string &one = compared.answers[0], &two = compared.answers[1];
    if (one == two) {
      EXPECT_EQ(compared.reason, "equal");
      EXPECT_FALSE(judged.contains(2 * i)) << "there is nothing to judge";
      continue;
    }
    ++kept;
    EXPECT_TRUE(compared.kept()) << compared.what;
    EXPECT_THAT(judged.at(2 * i), HasSubstr("(A) " + one + "\n\n(B) " + two + "\n"));
    EXPECT_THAT(judged.at(2 * i + 1), HasSubstr("(A) " + two + "\n\n(B) " + one + "\n"));
    EXPECT_THAT(judged.at(2 * i), HasSubstr("user: p" + std::to_string(i)));
    EXPECT_THAT(judged.at(2 * i), HasSubstr("prefer " + compared.principle));
    EXPECT_EQ(compared.chosen(), one.size() > two.size() ? 0 : 1);
    EXPECT_NEAR(compared.probability(), 0.85, 1e-12) << "0.9 at A and 0.8 at B";
  }
  EXPECT_GT(kept, 3);
}

TEST(AiPreference, MayBeJudgedByAnother) {
  ScriptedRespondent model(judge);
  ScriptedRespondent other([](const Question&, const AskOptions& how) -> Reply {
    EXPECT_EQ(how.choices.size(), 2u);
    return {.text = "A", .choices = {0.5, 0.1}};
  });
  const auto all = compare(prompts(5), 0, 5, three_principles(), {}, model, other).value();
  EXPECT_EQ(model.asked.size(), 10u);
  EXPECT_EQ(other.asked.size() % 2, 0u);
  for (const Compared& compared : all)
    EXPECT_TRUE(compared.reason == "inconsistent" || compared.reason == "equal") << compared.reason;
}

TEST(AiPreference, LeavesOutAnswersThatAreNone) {
  ScriptedRespondent model([](const Question& asked, const AskOptions& how) -> Reply {
    if (how.choices.empty() && asked.stream == 0) return {.text = "", .refusal = "no"};
    if (how.choices.empty() && asked.stream == 3) return {.text = "half", .ended = false};
    if (how.choices.empty() && asked.stream == 4) return {.text = " "};
    if (!how.choices.empty()) return {.text = "", .refusal = "too long"};
    return {.text = "answer " + std::to_string(asked.stream)};
  });
  const auto all = compare(prompts(4), 0, 4, three_principles(), {}, model, model).value();
  const std::vector<std::string> wanted = {"refused", "cut_off", "empty", "refused"};
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(all[i].reason, wanted[i]) << i;
  EXPECT_THAT(all[3].what, HasSubstr("the judge: too long"));
}

}  // namespace
}  // namespace quern::writing
