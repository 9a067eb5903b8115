#include "server/token_routes.h"

#include <fmt/format.h>

#include "base/config.h"
#include "base/exception.h"
#include "base/json.h"
#include "server/api_format.h"
#include "server/text_request.h"
#include "text/chat_prompt.h"
#include "text/unicode.h"

namespace quern::server {

namespace {

// Names of vLLM beside those of llama-server.
struct TokenFields {
  std::string model, content, prompt;
  bool add_special = true, parse_special = true, with_pieces = false;

  void fields(Fields& f) {
    f.add("model", model, "name of the model");
    f.add("content", content, "text");
    f.add("prompt", prompt, "text, as vLLM names it");
    f.add("add_special", add_special, "put around it what the tokenizer puts around texts");
    f.add("add_special_tokens", add_special, "the same, as vLLM names it");
    f.add("parse_special", parse_special, "special tokens may be written in it");
    f.add("with_pieces", with_pieces, "give the text of each token");
  }
};

struct Asked {
  Json body;
  TokenFields fields = {};
  ModelLease model = {};
};

Asked read(const ModelTable& models, const HttpRequest& request) {
  Asked asked{.body = body_of(request)};
  fields_of(asked.fields).load_json(asked.body, "request").value();
  asked.model = models.find(asked.fields.model, request.caller.get()).value();
  return asked;
}

text::ChatPrompt render(const Asked& asked) {
  asked.model->expect_decoder().value();
  const text::ChatRequest chat = read_conversation(asked.body).value();
  return text::render_prompt(asked.model->loaded->templates, chat, asked.model->loaded->tokenizer).value();
}

}  // namespace

void tokenize(const ModelTable& models, const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
  const Asked asked = read(models, request);
  const text::Tokenizer& tokenizer = asked.model->tokenizer();
  std::vector<int32_t> tokens;
  if (asked.body.contains("messages")) {
    const text::ChatPrompt prompt = render(asked);
    tokens = infer::encode_chat(*asked.model->loaded, prompt);
  } else {
    const std::string& text = asked.body.contains("content") ? asked.fields.content : asked.fields.prompt;
    tokens = tokenizer.encode(
        text, {.add_special_tokens = asked.fields.add_special, .allow_special = asked.fields.parse_special});
  }
  Json list = Json::array();
  for (const int32_t token : tokens) {
    if (asked.fields.with_pieces) {
      list.push_back({{"id", token}, {"piece", text::repair_utf8(token_text(tokenizer, token)).text}});
    } else {
      list.push_back(token);
    }
  }
  send_json(*reply, {{"tokens", list}, {"count", tokens.size()}, {"max_model_len", asked.model->context()}});
}

void detokenize(const ModelTable& models, const HttpRequest& request,
                const std::shared_ptr<HttpReply>& reply) {
  const Asked asked = read(models, request);
  const text::Tokenizer& tokenizer = asked.model->tokenizer();
  std::vector<int32_t> tokens;
  for (const Json& item : asked.body.value("tokens", Json::array())) {
    const bool known =
        item.is_number_integer() && item.get<int64_t>() >= 0 && item.get<int64_t>() < tokenizer.vocab_size();
    if (!known) {
      throw Exception(
          make_error(ErrorCode::invalid_argument, fmt::format("request: tokens must be ids below {}, got {}",
                                                              tokenizer.vocab_size(), json_excerpt(item))));
    }
    tokens.push_back(item.get<int32_t>());
  }
  const std::string text = tokenizer.decode(tokens, {.skip_special_tokens = false});
  send_json(*reply, {{"content", text}, {"prompt", text}});
}

void apply_template(const ModelTable& models, const HttpRequest& request,
                    const std::shared_ptr<HttpReply>& reply) {
  send_json(*reply, {{"prompt", render(read(models, request)).text}});
}

}  // namespace quern::server
