#include "server/api_keys.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <optional>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/log.h"

namespace quern::server {

namespace {

constexpr uint64_t kLargestFile = 16 << 20;
constexpr size_t kSaltBytes = 16, kKeyBytes = 32, kDigestBytes = 32;
constexpr std::chrono::seconds kLookInterval{1};

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::optional<std::string> from_hex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < text.size(); i += 2) {
    const size_t high = kDigits.find(text[i]), low = kDigits.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return bytes;
}

std::string digest_of(std::string_view salt, std::string_view key) {
  const std::string text = std::string(salt).append(key);
  std::string digest(kDigestBytes, '\0');
  if (EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr,
                 EVP_sha256(), nullptr) != 1) {
    throw InternalError("OpenSSL offers no SHA-256");
  }
  return digest;
}

struct SaltedHash {
  std::string salt, digest;
};

// "sha256:SALT:DIGEST".
std::optional<SaltedHash> parse_hash(std::string_view text) {
  constexpr std::string_view kScheme = "sha256:";
  if (!text.starts_with(kScheme)) return std::nullopt;
  text.remove_prefix(kScheme.size());
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto salt = from_hex(text.substr(0, colon)), digest = from_hex(text.substr(colon + 1));
  if (!salt || !digest || digest->size() != kDigestBytes) return std::nullopt;
  return SaltedHash{std::move(*salt), std::move(*digest)};
}

std::string random_bytes(size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) != 1) {
    throw InternalError("OpenSSL has no random numbers");
  }
  return bytes;
}

Result<ApiKey> parse_entry(const YAML::Node& node, std::string_view source, size_t number) {
  ApiKey key;
  Fields fields = fields_of(key);
  QUERN_CHECK(fields.load_yaml(node, source));
  const std::string where = fmt::format("{}: key {}", source, number);
  if (auto missing = fields.check_required(); !missing.ok()) return std::move(missing.error()).within(where);
  if (!parse_hash(key.hash)) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("{}: hash: expected sha256:SALT:DIGEST with 64 digits of digest in lower-case hex",
                    where));
  }
  return key;
}

}  // namespace

void ApiKey::fields(Fields& fields) {
  fields.add("name", caller.name, "who owns the key").required();
  fields.add("hash", hash, "sha256:SALT:DIGEST of salt and key, in hex").required();
  fields.add("requests_per_minute", caller.limits.requests_per_minute, "0: no limit").at_least(0);
  fields.add("tokens_per_day", caller.limits.tokens_per_day, "of prompts and answers; 0: no limit")
      .at_least(0);
  fields.add("models", caller.models, "the models allowed; empty: all");
  fields.add("priority", caller.priority, "higher goes first").range(-1000, 1000);
  fields.add("admin", caller.admin, "may load and unload models and adapters");
}

Result<std::vector<ApiKey>> parse_api_keys(std::string_view text, std::string_view source) {
  const auto invalid = [&](std::string_view why) {
    return make_error(ErrorCode::invalid_argument, fmt::format("{}: {}", source, why),
                      "a keys file is \"keys:\" and a list of entries with \"name\" and \"hash\"");
  };
  YAML::Node root;
  try {
    root = YAML::Load(std::string(text));
  } catch (const YAML::Exception& error) {
    return invalid(error.what());
  }
  if (!root.IsMap() || root.size() != 1 || !root["keys"] || !root["keys"].IsSequence()) {
    return invalid("expected \"keys\", a list, and nothing else");
  }
  std::vector<ApiKey> keys;
  std::set<std::string> names;
  for (const YAML::Node& node : root["keys"]) {
    QUERN_TRY(ApiKey key, parse_entry(node, source, keys.size() + 1));
    if (!names.insert(key.caller.name).second) return invalid(fmt::format("two keys of {}", key.caller.name));
    keys.push_back(std::move(key));
  }
  return keys;
}

std::string write_api_keys(std::span<const ApiKey> keys) {
  YAML::Emitter out;
  out << YAML::BeginMap << YAML::Key << "keys" << YAML::Value << YAML::BeginSeq;
  const auto add = [&](const char* name, const auto& value) {
    out << YAML::Key << name << YAML::Value << value;
  };
  for (const auto& [caller, hash] : keys) {
    out << YAML::BeginMap << YAML::Key << "name" << YAML::Value << YAML::DoubleQuoted << caller.name;
    add("hash", hash);
    if (const int64_t most = caller.limits.requests_per_minute) add("requests_per_minute", most);
    if (const int64_t most = caller.limits.tokens_per_day) add("tokens_per_day", most);
    if (!caller.models.empty()) {
      out << YAML::Key << "models" << YAML::Value << YAML::BeginSeq;
      for (const std::string& model : caller.models) out << YAML::DoubleQuoted << model;
      out << YAML::EndSeq;
    }
    if (caller.priority != 0) add("priority", caller.priority);
    if (caller.admin) add("admin", true);
    out << YAML::EndMap;
  }
  out << YAML::EndSeq << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

NewApiKey make_api_key() {
  const std::string salt = random_bytes(kSaltBytes);
  NewApiKey made{.key = "qk-" + hex(random_bytes(kKeyBytes)), .hash = {}};
  made.hash = fmt::format("sha256:{}:{}", hex(salt), hex(digest_of(salt, made.key)));
  return made;
}

Result<std::unique_ptr<ApiKeys>> ApiKeys::open(std::filesystem::path file) {
  std::unique_ptr<ApiKeys> keys(new ApiKeys(std::move(file)));
  QUERN_CHECK(keys->load());
  return keys;
}

Result<void> ApiKeys::load() {
  std::error_code ignored;
  stamp_ = {std::filesystem::last_write_time(file_, ignored), std::filesystem::file_size(file_, ignored)};
  QUERN_TRY(const std::string text, read_file(file_, kLargestFile));
  QUERN_TRY(std::vector<ApiKey> keys, parse_api_keys(text, file_.string()));
  auto entries = std::make_shared<std::vector<Entry>>();
  for (ApiKey& key : keys) {
    auto hash = parse_hash(key.hash);
    entries->push_back({std::make_shared<const Caller>(std::move(key.caller)), std::move(hash->salt),
                        std::move(hash->digest)});
  }
  entries_ = std::move(entries);
  return {};
}

void ApiKeys::reload_if_changed(Clock::time_point now) {
  if (now - looked_ < kLookInterval) return;
  looked_ = now;
  std::error_code error;
  const Stamp stamp{std::filesystem::last_write_time(file_, error), std::filesystem::file_size(file_, error)};
  if (stamp == stamp_) return;
  if (const auto loaded = load(); !loaded.ok()) {
    log::warn("server", "the keys stay as they were: {}", loaded.error().to_string());
  } else {
    log::info("server", "read {} keys from {}", entries_->size(), file_.string());
  }
}

std::shared_ptr<const Caller> ApiKeys::find(std::string_view key, Clock::time_point now) {
  std::shared_ptr<const std::vector<Entry>> entries;
  {
    const std::lock_guard lock(mutex_);
    reload_if_changed(now);
    entries = entries_;
  }
  std::shared_ptr<const Caller> found;
  for (const Entry& entry : *entries) {
    const std::string digest = digest_of(entry.salt, key);
    if (CRYPTO_memcmp(digest.data(), entry.digest.data(), kDigestBytes) == 0) found = entry.caller;
  }
  return found;
}

}  // namespace quern::server
