#include "text/tokenizer_json.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "text/models/model_json.h"
#include "text/registry.h"

namespace quern::text {

namespace {
using simdjson::dom::element;

constexpr Registration<ReadModel> kModels[] = {
    {"BPE", read_bpe},
    {"Unigram", read_unigram},
    {"WordLevel", read_word_level},
    {"WordPiece", read_word_piece},
};

// A small part of the document in the form the component readers take.
Json to_json(element value) { return Json::parse(std::string(simdjson::minify(value))); }

// The scalar fields of the model.
Json model_fields(element model) {
  Json fields = Json::object();
  for (const auto& [key, value] : simdjson::dom::object(model)) {
    if (key != "vocab" && key != "merges" && !value.is_object() && !value.is_array())
      fields[std::string(key)] = to_json(value);
  }
  return fields;
}

// Files written before "type" existed say by their members what they are.
std::string guess_type(element model, const Json& scalars) {
  if (model["merges"].error() == simdjson::SUCCESS) return "BPE";
  if (model["vocab"].is_array()) return "Unigram";
  return scalars.contains("continuing_subword_prefix") ? "WordPiece" : "WordLevel";
}

// Whether the component is ByteLevel or a Sequence that ends with it.
bool ends_with_byte_level(const Json& component) {
  const auto list = flatten_sequence("pre_tokenizer", component, "pretokenizers");
  return list.ok() && !list->empty() && list->back().type().value() == "ByteLevel";
}

Result<std::unique_ptr<Model>> read_model(element model, const Json& pre_tokenizer, int64_t id_limit) {
  if (!model.is_object()) return corrupt_model("'model' must be an object");
  Json scalars = model_fields(model);
  if (!scalars.contains("type")) scalars["type"] = guess_type(model, scalars);
  const Fields fields("model", scalars);
  QUERN_TRY(const auto* row, find_factory<ReadModel>(fields, kModels));
  const bool byte_level = row->make == read_bpe && ends_with_byte_level(pre_tokenizer);
  return row->make({model, fields, byte_level, id_limit});
}
}  // namespace

Result<Pipeline> read_tokenizer_json(std::string_view json) {
  simdjson::dom::parser parser;
  element document;
  if (const auto error = parser.parse(json.data(), json.size()).get(document); error != simdjson::SUCCESS) {
    return corrupt_model(
        fmt::format("not valid JSON ({} bytes): {}", json.size(), simdjson::error_message(error)));
  }
  if (!document.is_object()) return corrupt_model("the document must be an object");
  Pipeline pipeline;
  Json& rest = pipeline.document;
  rest = Json::object();
  element model;
  bool has_model = false;
  for (const auto& [key, value] : simdjson::dom::object(document)) {
    const bool is_model = key == "model";
    if (is_model) model = value;
    has_model = has_model || is_model;
    rest[std::string(key)] = is_model ? Json() : to_json(value);
  }
  if (!has_model) return corrupt_model("there is no 'model'");
  if (const auto version = rest.find("version"); version != rest.end() && *version != "1.0") {
    return make_error(
        ErrorCode::unsupported,
        fmt::format("tokenizer.json: version {} is not supported: expected \"1.0\"", version->dump()));
  }
  QUERN_TRY(pipeline.model,
            read_model(model, rest.value("pre_tokenizer", Json()), static_cast<int64_t>(json.size())));
  QUERN_CHECK(make_components(pipeline));
  return pipeline;
}

Result<void> make_components(Pipeline& pipeline) {
  const auto part = [&](const char* key) { return pipeline.document.value(key, Json()); };
  const Vocabulary& vocabulary = pipeline.model->vocabulary();
  const bool reads_bytes = pipeline.model->type() == "BPE";
  QUERN_TRY(pipeline.pre_tokenizers, make_pre_tokenizers(part("pre_tokenizer"), reads_bytes));
  QUERN_TRY(pipeline.normalizers, make_normalizers(part("normalizer")));
  QUERN_TRY(pipeline.added, AddedTokens::load(part("added_tokens"), vocabulary, pipeline.normalizers));
  QUERN_TRY(pipeline.post_processor, PostProcessor::load(part("post_processor"), pipeline.id_end()));
  QUERN_TRY(pipeline.decoders, make_decoders(part("decoder")));
  QUERN_TRY(pipeline.truncation, read_truncation(part("truncation")));
  QUERN_TRY(pipeline.padding, read_padding(part("padding")));
  return {};
}

}  // namespace quern::text
