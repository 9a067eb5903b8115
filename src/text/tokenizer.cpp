#include "text/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <mutex>

#include "base/exception.h"
#include "base/file.h"
#include "base/threads.h"
#include "text/pipeline.h"
#include "text/tokenizer_json.h"
#include "text/unicode.h"

namespace quern::text {

struct Tokenizer::Impl {
  Pipeline pipeline;
  std::string config;  // tokenizer_config.json
  std::string chat_template;
  bool template_is_file = false;  // chat_template.jinja rather than a key of the config
  SpecialIds special_ids;

  Result<void> read_config();
};

Result<Tokenizer> Tokenizer::from_json(std::string_view tokenizer_json, std::string_view config_json,
                                       std::string_view chat_template) {
  QUERN_TRY(Pipeline pipeline, read_tokenizer_json(tokenizer_json));
  return from_pipeline(std::move(pipeline), config_json, chat_template);
}

Result<Tokenizer> Tokenizer::from_pipeline(Pipeline pipeline, std::string_view config_json,
                                           std::string_view chat_template) {
  auto impl = std::make_shared<Impl>();
  impl->pipeline = std::move(pipeline);
  impl->config = config_json;
  QUERN_CHECK(impl->read_config());
  if (!chat_template.empty()) {
    impl->chat_template = chat_template;
    impl->template_is_file = true;
  }
  return Tokenizer(std::move(impl));
}

// Special tokens are strings or objects with "content"; a template is a string or a list of named ones, of
// which "default" counts.
Result<void> Tokenizer::Impl::read_config() {
  if (const TokenId unk = pipeline.model->unknown_token(); unk != kNoToken) special_ids.unk = unk;
  if (config.empty()) return {};
  const Json json = Json::parse(config, nullptr, false);
  if (!json.is_object()) return make_error(ErrorCode::corrupt, "tokenizer_config.json: not a JSON object");
  const auto id_of = [&](const char* key, std::optional<TokenId>& id) {
    Json value = json.value(key, Json());
    if (value.is_object()) value = value.value("content", Json());
    if (value.is_string()) {
      if (const auto found = pipeline.find(value.get<std::string>())) id = found;
    }
  };
  id_of("bos_token", special_ids.bos);
  id_of("eos_token", special_ids.eos);
  id_of("pad_token", special_ids.pad);
  id_of("unk_token", special_ids.unk);
  const Json templates = json.value("chat_template", Json());
  if (templates.is_string()) chat_template = templates.get<std::string>();
  if (!templates.is_array()) return {};
  for (const Json& named : templates) {
    if (named.is_object() && named.value("name", Json()) == "default" &&
        named.value("template", Json()).is_string()) {
      chat_template = named.at("template").get<std::string>();
    }
  }
  return {};
}

std::string Tokenizer::to_json() const { return impl_->pipeline.to_json(); }

namespace {

// An entry of "added_tokens", but for its id; also of "added_tokens_decoder" in tokenizer_config.json.
Json added_token(const std::string& content, bool special) {
  return {{"content", content}, {"single_word", false}, {"lstrip", false},
          {"rstrip", false},    {"normalized", false},  {"special", special}};
}

}  // namespace

Result<Tokenizer> Tokenizer::with_tokens(std::span<const std::string> tokens, bool special) const {
  if (tokens.empty()) return *this;
  QUERN_TRY(Pipeline pipeline, read_tokenizer_json(to_json()));
  Json config = impl_->config.empty() ? Json() : Json::parse(impl_->config);
  auto id = static_cast<TokenId>(vocab_size());
  Json& list = pipeline.document["added_tokens"];
  if (!list.is_array()) list = Json::array();
  for (const std::string& content : tokens) {
    const auto known = token_to_id(content);
    const bool again = std::ranges::count(tokens, content) > 1;
    if (known || again || content.empty() || valid_utf8_prefix(content) != content.size()) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("a new token: '{}' {}", content,
                                    known             ? fmt::format("is token {} already", *known)
                                    : again           ? "is there twice"
                                    : content.empty() ? "is empty"
                                                      : "is not UTF-8"));
    }
    Json entry = {{"id", id}};
    entry.update(added_token(content, special));
    list.push_back(std::move(entry));
    if (config.is_object() && config.contains("added_tokens_decoder"))
      config["added_tokens_decoder"][std::to_string(id)] = added_token(content, special);
    ++id;
  }
  QUERN_CHECK(make_components(pipeline));
  QUERN_TRY(Tokenizer more, from_pipeline(std::move(pipeline), config.is_object() ? config.dump(2) : "",
                                          impl_->template_is_file ? std::string_view(impl_->chat_template)
                                                                  : std::string_view()));
  for (const std::string& content : tokens) {
    const std::string written = more.decode(std::vector{*more.token_to_id(content)});
    if (written.find(content) != std::string::npos) continue;
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("a new token: '{}' would be written as '{}'", content, written),
                      "the tokenizer's decoder takes its letters for bytes: choose another spelling");
  }
  return more;
}

Result<void> Tokenizer::save(const std::filesystem::path& folder) const {
  QUERN_CHECK(make_directories(folder));
  QUERN_CHECK(write_file_atomic(folder / "tokenizer.json", to_json()));
  if (!impl_->config.empty()) QUERN_CHECK(write_file_atomic(folder / "tokenizer_config.json", impl_->config));
  if (impl_->template_is_file)
    QUERN_CHECK(write_file_atomic(folder / "chat_template.jinja", impl_->chat_template));
  return {};
}

void Tokenizer::encode(std::string_view text, std::vector<TokenId>& ids, const EncodeOptions& options) const {
  const Pipeline& pipeline = impl_->pipeline;
  for (const PostProcessor::Part& part : pipeline.post_processor.single) {
    if (options.add_special_tokens) ids.insert(ids.end(), part.ids.begin(), part.ids.end());
    if (part.sequence == 0) pipeline.encode(text, {options.allow_special, options.plain}, {ids});
  }
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  std::vector<TokenId> ids;
  encode(text, ids, options);
  return ids;
}

EncodedPair Tokenizer::encode_pair_with_types(std::string_view first, std::string_view second,
                                              const EncodeOptions& options) const {
  const Pipeline& pipeline = impl_->pipeline;
  EncodedPair pair;
  for (const PostProcessor::Part& part : pipeline.post_processor.pair) {
    if (options.add_special_tokens) pair.ids.insert(pair.ids.end(), part.ids.begin(), part.ids.end());
    if (part.sequence >= 0)
      pipeline.encode(part.sequence == 0 ? first : second, {options.allow_special, {}}, {pair.ids});
    pair.type_ids.resize(pair.ids.size(), part.type_id);
  }
  return pair;
}

std::vector<TokenId> Tokenizer::encode_pair(std::string_view first, std::string_view second,
                                            const EncodeOptions& options) const {
  return encode_pair_with_types(first, second, options).ids;
}

namespace {
void require_utf8(std::string_view text) {
  if (const size_t valid = valid_utf8_prefix(text); valid != text.size()) {
    throw Exception(make_error(ErrorCode::invalid_argument,
                               fmt::format("offsets need valid UTF-8; byte {} is not", valid),
                               "repair the text first"));
  }
}
}  // namespace

std::vector<TokenSpan> Tokenizer::encode_with_spans(std::string_view text,
                                                    const EncodeOptions& options) const {
  require_utf8(text);
  std::vector<TokenSpan> tokens;
  uint32_t at = 0;
  for (const PostProcessor::Part& part : impl_->pipeline.post_processor.single) {
    if (options.add_special_tokens) {
      for (const TokenId id : part.ids) tokens.push_back({id, {at, at}});
    }
    if (part.sequence != 0) continue;
    std::vector<TokenId> ids;
    std::vector<Span> spans;
    impl_->pipeline.encode(text, {options.allow_special, options.plain}, {ids, &spans});
    for (size_t i = 0; i < ids.size(); ++i) tokens.push_back({ids[i], spans[i]});
    at = static_cast<uint32_t>(text.size());
  }
  return tokens;
}

std::vector<std::vector<TokenId>> Tokenizer::encode_batch(std::span<const std::string_view> texts,
                                                          const EncodeOptions& options) const {
  std::vector<std::vector<TokenId>> batch(texts.size());
  std::exception_ptr failure;
  std::mutex failure_mutex;
  parallel_for(static_cast<int64_t>(texts.size()), 1, [&](int64_t begin, int64_t end) {
    try {
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
        encode(texts[i], batch[i], options);
    } catch (...) {
      const std::lock_guard lock(failure_mutex);
      failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
  return batch;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, const DecodeOptions& options) const {
  const Pipeline& pipeline = impl_->pipeline;
  const auto wanted = [&](TokenId id) { return !options.skip_special_tokens || !is_special(id); };
  if (pipeline.decoders.byte_level) {
    std::string bytes;
    for (const TokenId id : ids) {
      if (wanted(id)) pipeline.append_bytes(id, bytes);
    }
    return repair_utf8(bytes).text;
  }
  std::vector<std::string> tokens;
  for (const TokenId id : ids) {
    if (!wanted(id)) continue;
    if (auto token = pipeline.token_of(id)) tokens.push_back(*std::move(token));
  }
  return pipeline.decoders.decode(std::move(tokens));
}

int64_t Tokenizer::vocab_size() const { return static_cast<int64_t>(impl_->pipeline.id_end()); }
std::optional<TokenId> Tokenizer::token_to_id(std::string_view token) const {
  return impl_->pipeline.find(token);
}
std::optional<std::string> Tokenizer::id_to_token(TokenId id) const { return impl_->pipeline.token_of(id); }

bool Tokenizer::is_special(TokenId id) const {
  const AddedToken* token = impl_->pipeline.added.find(id);
  return token && token->special;
}

bool Tokenizer::is_added(TokenId id) const { return impl_->pipeline.added.find(id) != nullptr; }

std::vector<std::string> Tokenizer::special_tokens() const {
  std::vector<std::string> texts;
  for (const auto& token : impl_->pipeline.added.all()) {
    if (token->special) texts.push_back(token->form);
  }
  return texts;
}

const SpecialIds& Tokenizer::special_ids() const { return impl_->special_ids; }

std::optional<std::string> Tokenizer::token_bytes(TokenId id) const {
  if (!impl_->pipeline.decoders.byte_level) return std::nullopt;
  std::string bytes;
  impl_->pipeline.append_bytes(id, bytes);
  return bytes;
}

std::vector<Span> Tokenizer::split(std::string_view text) const {
  require_utf8(text);
  return impl_->pipeline.split(text);
}

std::string_view Tokenizer::model_type() const { return impl_->pipeline.model->type(); }
const std::optional<Truncation>& Tokenizer::truncation() const { return impl_->pipeline.truncation; }
const std::optional<Padding>& Tokenizer::padding() const { return impl_->pipeline.padding; }
const std::string& Tokenizer::chat_template() const { return impl_->chat_template; }
const std::string& Tokenizer::config_json() const { return impl_->config; }

}  // namespace quern::text
