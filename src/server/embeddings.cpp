#include "server/embeddings.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/base64.h"
#include "base/config.h"
#include "base/exception.h"
#include "base/json.h"
#include "server/api_format.h"

namespace quern::server {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostInputs = 2048;  // as OpenAI's

struct EmbeddingFields {
  std::string model;
  bool truncate = false;
  int64_t dimensions = 0;

  void fields(Fields& f) {
    f.add("model", model, "name of the model");
    f.add("encoding_format", format, "how vectors are written",
          {{"float", Format::floats}, {"base64", Format::base64}});
    f.add("truncate", truncate, "of texts that are too long, read the beginning");
    f.add("dimensions", dimensions, "of the vectors; 0: all").at_least(0);
  }
  enum class Format { floats, base64 };
  Format format = Format::floats;
};

Result<std::vector<infer::EncoderToken>> read_input(const Json& item, const ServedModel& model,
                                                    bool truncate) {
  if (item.is_string()) return read_text(model, item.get<std::string>(), std::nullopt, truncate);
  std::vector<infer::EncoderToken> tokens;
  for (const Json& token : item.is_array() ? item : Json::array()) {
    if (!token.is_number_integer()) return wrong_value("input", "text, tokens, or a list of these", item);
    const auto id = token.get<int64_t>();
    // The encoder names tokens that are outside the vocabulary.
    tokens.push_back({.id = id < 0 || id > INT32_MAX ? -1 : static_cast<int32_t>(id)});
  }
  if (tokens.empty()) return wrong_value("input", "text, tokens, or a list of these", item);
  const auto longest = static_cast<size_t>(model.context());
  if (truncate && tokens.size() > longest) tokens.resize(longest);
  return tokens;
}

Result<EncoderInputs> read_inputs(const Json& body, const ServedModel& model, bool truncate) {
  const auto input = body.find("input");
  if (input == body.end() || input->is_null())
    return make_error(ErrorCode::invalid_argument, "request: input is missing");
  const bool one = !input->is_array() || (!input->empty() && input->front().is_number());
  EncoderInputs inputs;
  for (const Json& item : one ? Json::array({*input}) : *input) {
    if (inputs.size() == kMostInputs) break;
    QUERN_TRY(auto tokens, read_input(item, model, truncate));
    inputs.push_back(std::move(tokens));
  }
  const size_t count = one ? 1 : input->size();
  if (count == 0 || count > kMostInputs) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("request: input must be 1 to {} texts, got {}", kMostInputs, count));
  }
  return inputs;
}

void append_numbers(std::string& out, const infer::Embedding& vector) {
  char separator = '[';
  for (const float value : vector) {
    if (std::isfinite(value)) {
      fmt::format_to(std::back_inserter(out), "{}{}", separator, value);
    } else {
      fmt::format_to(std::back_inserter(out), "{}null", separator);
    }
    separator = ',';
  }
  out.push_back(']');
}

// Little-endian f32, as clients expect.
void append_base64(std::string& out, const infer::Embedding& vector) {
  static_assert(std::endian::native == std::endian::little);
  const auto* bytes = reinterpret_cast<const char*>(vector.data());
  out.append("\"").append(encode_base64({bytes, vector.size() * sizeof(float)})).append("\"");
}

// Numbers by themselves: in a document each would be a node, and be written as a double, twice as long.
std::string body_of(const std::vector<infer::Embedding>& vectors, bool base64, const std::string& model,
                    int64_t tokens) {
  std::string body = R"({"object":"list","data":[)";
  for (size_t i = 0; i < vectors.size(); ++i) {
    fmt::format_to(std::back_inserter(body), R"({}{{"object":"embedding","index":{},"embedding":)",
                   i == 0 ? "" : ",", i);
    if (base64) {
      append_base64(body, vectors[i]);
    } else {
      append_numbers(body, vectors[i]);
    }
    body.push_back('}');
  }
  const Json rest = {{"model", model}, {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}};
  return body.append("],").append(to_bytes(rest).substr(1));
}

}  // namespace

Result<void> embed(const ModelLease& model, EncoderInputs inputs, int64_t dimensions,
                   std::function<void(std::vector<infer::Embedding>&&)> done,
                   const std::shared_ptr<HttpReply>& reply, Spent spent) {
  QUERN_CHECK(model->expect_encoder());
  const ServedEncoder& encoder = *model->encoder;
  if (encoder.scores_pairs()) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("the model '{}' scores pairs of texts, and makes no embeddings", model->name),
        "ask POST /v1/rerank");
  }
  const int64_t width =
      encoder.loaded->model.config().hidden * static_cast<int64_t>(encoder.form.pooling.size());
  if (dimensions > width) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("request: dimensions must be at most {}, those of '{}', got {}", width,
                                  model->name, dimensions));
  }
  const auto vectors = std::make_shared<std::vector<infer::Embedding>>(inputs.size());
  const auto receive = [vectors, dimensions, form = encoder.form](size_t index, const Tensor& result) {
    infer::Embedding& vector = (*vectors)[index] = infer::pooled(result, form);
    if (dimensions == 0) return;
    vector.resize(static_cast<size_t>(dimensions));
    infer::normalize(vector);
  };
  return ask_encoder(model,
                     {.inputs = std::move(inputs),
                      .head = infer::pools_by_head(encoder.form),
                      .receive = receive,
                      .finish = [vectors, done = std::move(done)] { done(std::move(*vectors)); }},
                     reply, std::move(spent));
}

void embeddings(const ModelTable& models, const HttpRequest& request,
                const std::shared_ptr<HttpReply>& reply) {
  const Json body = body_of(request);
  EmbeddingFields fields;
  fields_of(fields).load_json(body, "request").value();
  const ModelLease model = models.find(fields.model, request.caller.get()).value();
  model->expect_encoder().value();
  EncoderInputs inputs = read_inputs(body, *model, fields.truncate).value();
  const int64_t tokens = tokens_of(inputs);
  const auto answer = [reply, tokens, name = model->name,
                       base64 = fields.format ==
                                EmbeddingFields::Format::base64](std::vector<infer::Embedding>&& vectors) {
    reply->send({.status = 200, .body = body_of(vectors, base64, name, tokens), .headers = {}});
  };
  embed(model, std::move(inputs), fields.dimensions, answer, reply, models.meter(request.caller)).value();
}

}  // namespace quern::server
