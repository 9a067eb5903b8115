#include "text/tokenizer.h"

#include <fmt/format.h>

#include <exception>
#include <mutex>

#include "base/exception.h"
#include "base/file.h"
#include "base/threads.h"
#include "text/added_tokens.h"
#include "text/byte_alphabet.h"
#include "text/decoder.h"
#include "text/post_processor.h"
#include "text/tokenizer_json.h"
#include "text/unicode.h"

namespace quern::text {

namespace {
// Hands scratch objects to threads and takes them back, so that caches stay warm between calls.
class ScratchPool {
 public:
  explicit ScratchPool(const Model& model) : model_(model) {}

  class Lease {
   public:
    explicit Lease(ScratchPool& pool) : pool_(pool), scratch_(pool.take()) {}
    ~Lease() { pool_.give(std::move(scratch_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ModelScratch& operator*() { return *scratch_; }

   private:
    ScratchPool& pool_;
    std::unique_ptr<ModelScratch> scratch_;
  };

 private:
  std::unique_ptr<ModelScratch> take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto scratch = std::move(idle_.back());
        idle_.pop_back();
        return scratch;
      }
    }
    return model_.make_scratch();
  }
  void give(std::unique_ptr<ModelScratch> scratch) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(scratch));
  }

  const Model& model_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<ModelScratch>> idle_;
};
}  // namespace

struct Tokenizer::Impl {
  Json document;  // tokenizer.json with "model" null
  Normalizers normalizers;
  PreTokenizers pre_tokenizers;
  std::unique_ptr<Model> model;
  AddedTokens added;
  PostProcessor post_processor;
  Decoders decoders;
  std::string config;  // tokenizer_config.json
  std::string chat_template;
  bool template_is_file = false;  // chat_template.jinja rather than a key of the config
  SpecialIds special_ids;
  mutable std::unique_ptr<ScratchPool> scratches;

  std::optional<TokenId> find(std::string_view token) const;
  std::optional<std::string> token_of(TokenId id) const;
  void append_bytes(TokenId id, std::string& out) const;
  Result<void> read_config();

  // A token found in the text, or a segment that is normalised and cut at all added tokens.
  template <class OnToken, class OnSegment>
  void walk(std::string_view text, const EncodeOptions& options, bool track, const OnToken& on_token,
            const OnSegment& on_segment) const;
  void encode_text(std::string_view text, const EncodeOptions& options, TokenSink sink) const;
  void append(std::string_view text, const EncodeOptions& options, TokenSink sink) const;
};

std::optional<TokenId> Tokenizer::Impl::find(std::string_view token) const {
  if (const AddedToken* known = added.find(token)) return known->id;
  const TokenId id = model->vocabulary().find_token(token);
  return id == kNoToken ? std::nullopt : std::optional(id);
}

std::optional<std::string> Tokenizer::Impl::token_of(TokenId id) const {
  if (const AddedToken* known = added.find(id)) return known->form;
  return model->vocabulary().token(id);
}

// What a token gives to a byte-level decoder: a token with other characters than the byte alphabet stands for itself.
void Tokenizer::Impl::append_bytes(TokenId id, std::string& out) const {
  const Vocabulary& vocabulary = model->vocabulary();
  const AddedToken* known = added.find(id);
  if (!known && vocabulary.byte_level()) {
    out += vocabulary.bytes(id);
    return;
  }
  const std::string token = known ? known->form : vocabulary.token(id).value_or("");
  out += from_byte_characters(token).value_or(token);
}

template <class OnToken, class OnSegment>
void Tokenizer::Impl::walk(std::string_view text, const EncodeOptions& options, bool track,
                           const OnToken& on_token, const OnSegment& on_segment) const {
  const auto walk_normalized = [&](Segment& segment) {
    if (added.normalized().empty()) return on_segment(segment);
    added.normalized().scan(segment.text(), options.allow_special, [&](Span span, const AddedToken* token) {
      Segment part(segment, span);
      if (token) {
        on_token(*token, part, Span{0, span.end - span.begin});
      } else {
        on_segment(part);
      }
    });
  };
  added.raw().scan(text, options.allow_special, [&](Span span, const AddedToken* token) {
    Segment segment(text.substr(span.begin, span.end - span.begin), span.begin, track);
    if (token) return on_token(*token, segment, Span{0, span.end - span.begin});
    for (const auto& normalizer : normalizers) normalizer->apply(segment);
    walk_normalized(segment);
  });
}

void Tokenizer::Impl::encode_text(std::string_view text, const EncodeOptions& options, TokenSink sink) const {
  ScratchPool::Lease scratch(*scratches);
  const bool track = sink.spans != nullptr;
  walk(
      text, options, track,
      [&](const AddedToken& token, const Segment& segment, Span span) {
        sink.ids.push_back(token.id);
        if (track) sink.spans->push_back(segment.origin_of(span));
      },
      [&](Segment& segment) {
        for (const auto& step : pre_tokenizers.steps) step->apply(segment);
        const size_t first = track ? sink.spans->size() : 0;
        model->encode(segment.text(), segment.pieces(), *scratch, sink);
        if (!track) return;
        for (size_t i = first; i < sink.spans->size(); ++i)
          (*sink.spans)[i] = segment.origin_of((*sink.spans)[i]);
      });
}

void Tokenizer::Impl::append(std::string_view text, const EncodeOptions& options, TokenSink sink) const {
  if (text.size() >= UINT32_MAX) {
    throw Exception(make_error(ErrorCode::invalid_argument,
                               fmt::format("a text of {} bytes is too long for one call", text.size()),
                               "encode it document by document"));
  }
  Repaired repaired;
  if (valid_utf8_prefix(text) != text.size()) {
    repaired = repair_utf8(text);
    text = repaired.text;
  }
  encode_text(text, options, sink);
}

namespace {
Result<std::string> read_optional_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::string();
  return read_file(path);
}
}  // namespace

Result<Tokenizer> Tokenizer::load(const std::filesystem::path& path) {
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(path, ignored);
  const std::filesystem::path folder = is_folder ? path : path.parent_path();
  QUERN_TRY(const std::string json, read_file(is_folder ? path / "tokenizer.json" : path));
  QUERN_TRY(const std::string config, read_optional_file(folder / "tokenizer_config.json"));
  QUERN_TRY(const std::string chat_template, read_optional_file(folder / "chat_template.jinja"));
  auto loaded = from_json(json, config, chat_template);
  if (!loaded.ok()) return std::move(loaded).error().within(path.string());
  return loaded;
}

Result<Tokenizer> Tokenizer::from_json(std::string_view tokenizer_json, std::string_view config_json,
                                       std::string_view chat_template) {
  auto impl = std::make_shared<Impl>();
  QUERN_TRY(TokenizerDocument document, read_tokenizer_json(tokenizer_json));
  impl->document = std::move(document.rest);
  impl->pre_tokenizers = std::move(document.pre_tokenizers);
  impl->model = std::move(document.model);
  const auto part = [&](const char* key) { return impl->document.value(key, Json()); };
  QUERN_TRY(impl->normalizers, make_normalizers(part("normalizer")));
  QUERN_TRY(impl->added,
            AddedTokens::load(part("added_tokens"), impl->model->vocabulary(), impl->normalizers));
  const size_t id_end = std::max(impl->model->vocabulary().id_end(), impl->added.id_end());
  QUERN_TRY(impl->post_processor, PostProcessor::load(part("post_processor"), id_end));
  QUERN_TRY(impl->decoders, make_decoders(part("decoder")));
  impl->scratches = std::make_unique<ScratchPool>(*impl->model);
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
  if (const TokenId unk = model->unknown_token(); unk != kNoToken) special_ids.unk = unk;
  if (config.empty()) return {};
  const Json json = Json::parse(config, nullptr, false);
  if (!json.is_object()) return make_error(ErrorCode::corrupt, "tokenizer_config.json: not a JSON object");
  const auto id_of = [&](const char* key, std::optional<TokenId>& id) {
    Json value = json.value(key, Json());
    if (value.is_object()) value = value.value("content", Json());
    if (value.is_string()) {
      if (const auto found = find(value.get<std::string>())) id = found;
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

std::string Tokenizer::to_json() const {
  std::string out = "{";
  std::string_view separator;
  for (const auto& [key, value] : impl_->document.items()) {
    out += fmt::format("{}\n{}: {}", separator, Json(key).dump(),
                       key == "model" ? impl_->model->to_json() : value.dump());
    separator = ",";
  }
  return out + "\n}\n";
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
  if (!options.add_special_tokens || impl_->post_processor.single.empty())
    return impl_->append(text, options, {ids});
  for (const PostProcessor::Part& part : impl_->post_processor.single) {
    ids.insert(ids.end(), part.ids.begin(), part.ids.end());
    if (part.sequence == 0) impl_->append(text, options, {ids});
  }
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  std::vector<TokenId> ids;
  encode(text, ids, options);
  return ids;
}

std::vector<TokenId> Tokenizer::encode_pair(std::string_view first, std::string_view second,
                                            const EncodeOptions& options) const {
  std::vector<TokenId> ids;
  if (!options.add_special_tokens || impl_->post_processor.pair.empty()) {
    impl_->append(first, options, {ids});
    impl_->append(second, options, {ids});
    return ids;
  }
  for (const PostProcessor::Part& part : impl_->post_processor.pair) {
    ids.insert(ids.end(), part.ids.begin(), part.ids.end());
    if (part.sequence >= 0) impl_->append(part.sequence == 0 ? first : second, options, {ids});
  }
  return ids;
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
  std::vector<TokenId> ids;
  std::vector<Span> spans;
  impl_->append(text, options, {ids, &spans});
  std::vector<TokenSpan> tokens(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) tokens[i] = {ids[i], spans[i]};
  if (!options.add_special_tokens || impl_->post_processor.single.empty()) return tokens;
  std::vector<TokenSpan> all;
  uint32_t at = 0;
  for (const PostProcessor::Part& part : impl_->post_processor.single) {
    for (const TokenId id : part.ids) all.push_back({id, {at, at}});
    if (part.sequence != 0) continue;
    all.insert(all.end(), tokens.begin(), tokens.end());
    at = static_cast<uint32_t>(text.size());
  }
  return all;
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
  const auto wanted = [&](TokenId id) { return !options.skip_special_tokens || !is_special(id); };
  if (impl_->decoders.byte_level) {
    std::string bytes;
    for (const TokenId id : ids) {
      if (wanted(id)) impl_->append_bytes(id, bytes);
    }
    return repair_utf8(bytes).text;
  }
  std::vector<std::string> tokens;
  for (const TokenId id : ids) {
    if (!wanted(id)) continue;
    if (auto token = impl_->token_of(id)) tokens.push_back(*std::move(token));
  }
  return impl_->decoders.decode(std::move(tokens));
}

int64_t Tokenizer::vocab_size() const {
  return static_cast<int64_t>(std::max(impl_->model->vocabulary().id_end(), impl_->added.id_end()));
}

std::optional<TokenId> Tokenizer::token_to_id(std::string_view token) const { return impl_->find(token); }
std::optional<std::string> Tokenizer::id_to_token(TokenId id) const { return impl_->token_of(id); }

bool Tokenizer::is_special(TokenId id) const {
  const AddedToken* token = impl_->added.find(id);
  return token && token->special;
}

const SpecialIds& Tokenizer::special_ids() const { return impl_->special_ids; }

std::optional<std::string> Tokenizer::token_bytes(TokenId id) const {
  if (!impl_->decoders.byte_level) return std::nullopt;
  std::string bytes;
  impl_->append_bytes(id, bytes);
  return bytes;
}

std::vector<Span> Tokenizer::split(std::string_view text) const {
  std::vector<Span> pieces;
  require_utf8(text);
  impl_->walk(
      text, {}, true,
      [&](const AddedToken&, const Segment& segment, Span span) {
        pieces.push_back(segment.origin_of(span));
      },
      [&](Segment& segment) {
        for (const auto& step : impl_->pre_tokenizers.steps) step->apply(segment);
        for (const Span piece : segment.pieces()) pieces.push_back(segment.origin_of(piece));
      });
  return pieces;
}

std::string_view Tokenizer::model_type() const { return impl_->model->type(); }
const std::string& Tokenizer::chat_template() const { return impl_->chat_template; }
const std::string& Tokenizer::config_json() const { return impl_->config; }

}  // namespace quern::text
