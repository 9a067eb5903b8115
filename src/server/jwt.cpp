#include "server/jwt.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/json.h"

namespace quern::server {

using Json = nlohmann::json;

namespace {

constexpr size_t kLongestToken = 16 << 10;
constexpr size_t kShortestSecret = 32;  // RFC 7518 section 3.2
constexpr int kShortestRsaKey = 2048;   // RFC 7518 section 3.3

template <auto free>
struct Free {
  template <class T>
  void operator()(T* pointer) const {
    free(pointer);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;

Error refused(std::string why) {
  return make_error(ErrorCode::permission, fmt::format("the bearer token {}", std::move(why)));
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Base64 with the alphabet for URLs and without padding.
std::optional<std::string> decode_base64url(std::string_view text) {
  if (text.find_first_of("+/=") != std::string_view::npos) return std::nullopt;
  std::string standard(text);
  std::replace(standard.begin(), standard.end(), '-', '+');
  std::replace(standard.begin(), standard.end(), '_', '/');
  standard.append((4 - standard.size() % 4) % 4, '=');
  return decode_base64(standard);
}

Result<Json> decode_object(std::string_view part, std::string_view what) {
  const auto text = decode_base64url(part);
  if (!text) return refused(fmt::format("has a {} that is not base64url", what));
  auto object = parse_json(*text, what, 16);
  if (!object.ok() || !object->is_object())
    return refused(fmt::format("has a {} that is not a JSON object", what));
  return object;
}

// Seconds since 1970, which may have a fraction; nothing when there is none.
Result<std::optional<double>> time_claim(const Json& claims, const char* name) {
  const auto found = claims.find(name);
  if (found == claims.end()) return std::optional<double>();
  if (!found->is_number() || !std::isfinite(found->get<double>())) {
    return refused(fmt::format("has \"{}\": expected a number, got {}", name, json_excerpt(*found)));
  }
  return std::optional<double>(found->get<double>());
}

bool holds(const Json& claims, const char* name, const std::string& wanted) {
  const auto found = claims.find(name);
  if (found == claims.end()) return false;
  if (found->is_array()) return std::find(found->begin(), found->end(), Json(wanted)) != found->end();
  return *found == Json(wanted);
}

}  // namespace

struct JwtVerifier::State {
  JwtOptions options;
  Key key;  // rs256

  bool signature_holds(std::string_view content, std::string_view signature) const;
  Result<void> check_claims(const Json& claims, double now) const;
};

JwtVerifier::JwtVerifier(std::unique_ptr<State> state) : state_(std::move(state)) {}
JwtVerifier::JwtVerifier(JwtVerifier&&) noexcept = default;
JwtVerifier& JwtVerifier::operator=(JwtVerifier&&) noexcept = default;
JwtVerifier::~JwtVerifier() = default;

Result<JwtVerifier> JwtVerifier::create(JwtOptions options) {
  auto state = std::make_unique<State>();
  if (options.algorithm == JwtOptions::Algorithm::hs256) {
    if (options.key.size() < kShortestSecret) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("the secret of HS256 is too short: expected at least {} bytes, got {}",
                                    kShortestSecret, options.key.size()));
    }
  } else {
    const Bio bio(BIO_new_mem_buf(options.key.data(), static_cast<int>(options.key.size())));
    state->key.reset(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
    if (!state->key || EVP_PKEY_base_id(state->key.get()) != EVP_PKEY_RSA ||
        EVP_PKEY_bits(state->key.get()) < kShortestRsaKey) {
      return make_error(
          ErrorCode::invalid_argument,
          fmt::format("the key of RS256 is not an RSA public key of at least {} bits in PEM form",
                      kShortestRsaKey),
          "openssl rsa -in private.pem -pubout makes one");
    }
  }
  state->options = std::move(options);
  return JwtVerifier(std::move(state));
}

bool JwtVerifier::State::signature_holds(std::string_view content, std::string_view signature) const {
  if (options.algorithm == JwtOptions::Algorithm::hs256) {
    std::array<unsigned char, 32> mac;
    unsigned length = 0;
    if (HMAC(EVP_sha256(), options.key.data(), static_cast<int>(options.key.size()), bytes_of(content),
             content.size(), mac.data(), &length) == nullptr) {
      return false;
    }
    return signature.size() == mac.size() && CRYPTO_memcmp(mac.data(), signature.data(), mac.size()) == 0;
  }
  const DigestContext context(EVP_MD_CTX_new());
  return EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(content),
                          content.size()) == 1;
}

Result<void> JwtVerifier::State::check_claims(const Json& claims, double now) const {
  const double leeway = static_cast<double>(options.leeway.count());
  QUERN_TRY(const auto expires, time_claim(claims, "exp"));
  if (!expires) return refused("never expires: expected \"exp\"");
  if (now >= *expires + leeway) return refused("has expired");
  QUERN_TRY(const auto begins, time_claim(claims, "nbf"));
  if (begins && now < *begins - leeway) return refused("is not valid yet");
  if (!options.issuer.empty() && !holds(claims, "iss", options.issuer)) {
    return refused(fmt::format("is not issued by {}", options.issuer));
  }
  if (!options.audience.empty() && !holds(claims, "aud", options.audience)) {
    return refused(fmt::format("is not meant for {}", options.audience));
  }
  return {};
}

Result<Json> JwtVerifier::verify(std::string_view token, std::chrono::system_clock::time_point now) const {
  if (token.size() > kLongestToken) return refused(fmt::format("is longer than {} bytes", kLongestToken));
  const size_t first = token.find('.');
  const size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return refused("is not a JSON Web Token of three parts");
  }
  QUERN_TRY(const Json header, decode_object(token.substr(0, first), "header"));
  const char* wanted = state_->options.algorithm == JwtOptions::Algorithm::hs256 ? "HS256" : "RS256";
  if (header.value("alg", Json()) != Json(wanted))
    return refused(fmt::format("is not signed with {}", wanted));
  if (header.contains("crit")) return refused("needs extensions (\"crit\") that are not understood");
  const auto signature = decode_base64url(token.substr(second + 1));
  if (!signature || !state_->signature_holds(token.substr(0, second), *signature)) {
    return refused("has a signature that does not hold");
  }
  QUERN_TRY(Json claims, decode_object(token.substr(first + 1, second - first - 1), "payload"));
  QUERN_CHECK(state_->check_claims(claims, std::chrono::duration<double>(now.time_since_epoch()).count()));
  return claims;
}

}  // namespace quern::server
