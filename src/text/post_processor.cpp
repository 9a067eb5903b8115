#include "text/post_processor.h"

#include <fmt/format.h>

#include "text/post_processors/around.h"
#include "text/registry.h"

namespace quern::text {

namespace {
constexpr Registration<AddSurroundings> kPostProcessors[] = {
    {"BertProcessing", add_bert_processing},
    {"ByteLevel", add_no_surroundings},
    {"RobertaProcessing", add_roberta_processing},
    {"TemplateProcessing", add_template},
};

std::vector<PostProcessor::Part> join(Surrounded::Texts texts) {
  std::vector<PostProcessor::Part> parts;
  for (auto& text : texts) {
    for (auto& part : text) parts.push_back(std::move(part));
  }
  return parts;
}
}  // namespace

Result<TokenId> read_special_id(const Json& id, size_t id_end) {
  if (id_end > 0 && is_count(id, id_end - 1)) return id.get<TokenId>();
  return make_error(ErrorCode::corrupt,
                    fmt::format("tokenizer.json: post_processor: a special token has the id {}: "
                                "expected 0 to {}",
                                id.dump(), static_cast<int64_t>(id_end) - 1));
}

Result<PostProcessor> PostProcessor::load(const Json& component, size_t id_end) {
  QUERN_TRY(const std::vector<Fields> list, flatten_sequence("post_processor", component, "processors"));
  const Part first{0, {}, 0}, second{1, {}, 1};
  Surrounded texts{.single = {{first}}, .pair = {{first}, {second}}};
  for (const Fields& fields : list) {
    QUERN_TRY(const auto* row, find_factory<AddSurroundings>(fields, kPostProcessors));
    QUERN_CHECK(row->make(fields, id_end, texts));
  }
  return PostProcessor{join(std::move(texts.single)), join(std::move(texts.pair))};
}

}  // namespace quern::text
