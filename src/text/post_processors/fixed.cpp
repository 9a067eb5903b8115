// BertProcessing, RobertaProcessing and ByteLevel, whose surroundings are fixed.
#include "text/post_processors/around.h"

namespace quern::text {

namespace {
using Part = PostProcessor::Part;

// ["[SEP]", 102]
Result<TokenId> read_named_id(const Fields& fields, std::string_view key, size_t id_end) {
  QUERN_TRY(const Json* pair, fields.array(key));
  if (pair->size() != 2) return fields.wrong(key, "a token and its id");
  return read_special_id((*pair)[1], id_end);
}

struct ClsAndSep {
  TokenId cls, sep;
};

Result<ClsAndSep> read_cls_and_sep(const Fields& fields, size_t id_end, const Surrounded& texts) {
  if (texts.joined) {
    return make_error(ErrorCode::unsupported, "tokenizer.json: post_processor: " + fields.name() +
                                                  " after a TemplateProcessing is not supported");
  }
  ClsAndSep ids{};
  QUERN_TRY(ids.cls, read_named_id(fields, "cls", id_end));
  QUERN_TRY(ids.sep, read_named_id(fields, "sep", id_end));
  return ids;
}

void surround(std::vector<Part>& text, const std::vector<TokenId>& before, const std::vector<TokenId>& after,
              int32_t type_id) {
  if (!before.empty()) text.insert(text.begin(), Part{-1, before, type_id});
  text.push_back({-1, after, type_id});
}
}  // namespace

Result<void> add_bert_processing(const Fields& fields, size_t id_end, Surrounded& texts) {
  QUERN_TRY(const ClsAndSep ids, read_cls_and_sep(fields, id_end, texts));
  surround(texts.single[0], {ids.cls}, {ids.sep}, 0);
  surround(texts.pair[0], {ids.cls}, {ids.sep}, 0);
  surround(texts.pair[1], {}, {ids.sep}, 1);
  return {};
}

Result<void> add_roberta_processing(const Fields& fields, size_t id_end, Surrounded& texts) {
  QUERN_TRY(const ClsAndSep ids, read_cls_and_sep(fields, id_end, texts));
  for (std::vector<Part>* text : {&texts.single[0], &texts.pair[0], &texts.pair[1]}) {
    for (Part& part : *text) part.type_id = 0;
  }
  surround(texts.single[0], {ids.cls}, {ids.sep}, 0);
  surround(texts.pair[0], {ids.cls}, {ids.sep}, 0);
  surround(texts.pair[1], {ids.sep}, {ids.sep}, 0);
  return {};
}

// ByteLevel concerns offsets only.
Result<void> add_no_surroundings(const Fields&, size_t, Surrounded&) { return {}; }

}  // namespace quern::text
