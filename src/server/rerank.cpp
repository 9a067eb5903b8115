#include "server/rerank.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/config.h"
#include "base/exception.h"
#include "base/json.h"
#include "server/api_format.h"
#include "server/embeddings.h"

namespace quern::server {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostDocuments = 2048;

struct RerankFields {
  std::string model, query;
  int64_t top_n = 0;
  bool return_documents = true, truncate = true;

  void fields(Fields& f) {
    f.add("model", model, "name of the model");
    f.add("query", query, "what the documents are to tell about").required();
    f.add("top_n", top_n, "results, of the most relevant documents; 0: all").at_least(0);
    f.add("return_documents", return_documents, "give the texts of the documents as well");
    f.add("truncate", truncate, "of texts that are too long, read the beginning");
  }
};

Result<std::vector<std::string>> read_documents(const Json& body) {
  const auto list = body.find("documents");
  if (list == body.end() || !list->is_array() || list->empty() || list->size() > kMostDocuments) {
    return wrong_value("documents", fmt::format("a list of 1 to {} texts", kMostDocuments),
                       list == body.end() ? Json(nullptr) : *list);
  }
  std::vector<std::string> documents;
  for (const Json& item : *list) {
    const Json text = item.is_object() ? item.value("text", Json(nullptr)) : item;
    if (!text.is_string()) return wrong_value("documents", "texts, or objects with \"text\"", item);
    documents.push_back(text.get<std::string>());
  }
  return documents;
}

struct RerankCall {
  ModelLease model = {};
  RerankFields fields = {};
  std::vector<std::string> documents = {};
  int64_t tokens = 0;
  std::shared_ptr<HttpReply> reply = {};
};

Json answer_of(const RerankCall& call, const std::vector<double>& scores) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  if (const auto most = static_cast<size_t>(call.fields.top_n); most > 0)
    order.resize(std::min(most, order.size()));
  Json results = Json::array();
  for (const size_t index : order) {
    Json result = {{"index", index}, {"relevance_score", scores[index]}};
    if (call.fields.return_documents) result["document"] = {{"text", call.documents[index]}};
    results.push_back(std::move(result));
  }
  return {{"id", new_id("rerank-")},
          {"object", "list"},
          {"model", call.model->name},
          {"results", std::move(results)},
          {"usage", {{"prompt_tokens", call.tokens}, {"total_tokens", call.tokens}}}};
}

// The query with each document at a time.
Result<void> score_pairs(const std::shared_ptr<RerankCall>& call, Spent spent) {
  EncoderInputs inputs;
  for (const std::string& document : call->documents) {
    QUERN_TRY(auto tokens, read_text(*call->model, call->fields.query, document, call->fields.truncate));
    inputs.push_back(std::move(tokens));
  }
  call->tokens = tokens_of(inputs);
  const auto scores = std::make_shared<std::vector<double>>(inputs.size());
  const auto receive = [scores](size_t index, const Tensor& result) {
    (*scores)[index] = 1.0 / (1.0 + std::exp(-static_cast<double>(result.span<float>()[0])));
  };
  return ask_encoder(call->model,
                     {.inputs = std::move(inputs),
                      .head = true,
                      .receive = receive,
                      .finish = [call, scores] { send_json(*call->reply, answer_of(*call, *scores)); }},
                     call->reply, std::move(spent));
}

// The query and the documents by themselves.
Result<void> compare(const std::shared_ptr<RerankCall>& call, Spent spent) {
  std::vector<std::string> texts = {call->fields.query};
  texts.insert(texts.end(), call->documents.begin(), call->documents.end());
  EncoderInputs inputs;
  for (const std::string& text : texts) {
    QUERN_TRY(auto tokens, read_text(*call->model, text, std::nullopt, call->fields.truncate));
    inputs.push_back(std::move(tokens));
  }
  call->tokens = tokens_of(inputs);
  const auto done = [call](std::vector<infer::Embedding>&& vectors) {
    std::vector<double> scores;
    for (size_t i = 1; i < vectors.size(); ++i) scores.push_back(infer::cosine(vectors[0], vectors[i]));
    send_json(*call->reply, answer_of(*call, scores));
  };
  return embed(call->model, std::move(inputs), 0, done, call->reply, std::move(spent));
}

}  // namespace

void rerank(const ModelTable& models, const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
  const Json body = body_of(request);
  const auto call = std::make_shared<RerankCall>();
  call->reply = reply;
  Fields fields = fields_of(call->fields);
  fields.load_json(body, "request").value();
  fields.check_required().value();
  call->model = models.find(call->fields.model, request.caller.get()).value();
  call->model->expect_encoder().value();
  call->documents = read_documents(body).value();
  const auto ask = call->model->encoder->scores_pairs() ? score_pairs : compare;
  ask(call, models.meter(request.caller)).value();
}

}  // namespace quern::server
