#include "server/jwt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/base64.h"

namespace quern::server {
namespace {

using testing::HasSubstr;
using Time = std::chrono::system_clock::time_point;

// RFC 7515, appendices A.1 (HS256) and A.2 (RS256): one payload, {"iss":"joe", "exp":1300819380, ...}.
constexpr const char* kPayload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
constexpr const char* kHsHeader = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9";
constexpr const char* kHsSignature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
constexpr const char* kHsKey =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ+EstJQLr/T+1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow==";
constexpr const char* kRsHeader = "eyJhbGciOiJSUzI1NiJ9";
constexpr const char* kRsSignature =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
    "O8W2Fp5jujGbds9uJdbF9CU"
    "Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_"
    "eSN9383LcOLn6_dO--"
    "xi12jzDwusC-"
    "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_Ioyp"
    "GlUPQGe77Rw";
constexpr const char* kRsKey =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj\n"
    "NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz\n"
    "P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo\n"
    "9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB\n"
    "EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX\n"
    "FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp\n"
    "oQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

const Time kBefore{std::chrono::seconds(1'300'819'000)};

JwtVerifier hs256(JwtOptions options = {}) {
  options.algorithm = JwtOptions::Algorithm::hs256;
  options.key = decode_base64(kHsKey).value();
  return JwtVerifier::create(std::move(options)).value();
}

JwtVerifier rs256() {
  return JwtVerifier::create({.algorithm = JwtOptions::Algorithm::rs256, .key = kRsKey}).value();
}

std::string base64url(std::string_view bytes) {
  std::string text = encode_base64(bytes);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text.substr(0, text.find('='));
}

std::string sign(const std::string& header, const std::string& payload, const std::string& key) {
  const std::string content = base64url(header) + "." + base64url(payload);
  unsigned char mac[32];
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(content.data()), content.size(), mac, nullptr);
  return content + "." + base64url({reinterpret_cast<const char*>(mac), sizeof mac});
}

std::string signed_claims(const std::string& payload) {
  return sign(R"({"alg":"HS256"})", payload, decode_base64(kHsKey).value());
}

std::string token(const std::string& header, const std::string& payload, const std::string& signature) {
  return header + "." + payload + "." + signature;
}

// What verify() has against the token; empty when nothing.
std::string refusal(const JwtVerifier& verifier, const std::string& text) {
  const auto claims = verifier.verify(text, kBefore);
  if (claims.ok()) return "";
  EXPECT_EQ(claims.error().code, ErrorCode::permission);
  return claims.error().message;
}

TEST(Jwt, VerifiesTheExamplesOfTheStandard) {
  for (const auto& claims : {hs256().verify(token(kHsHeader, kPayload, kHsSignature), kBefore),
                             rs256().verify(token(kRsHeader, kPayload, kRsSignature), kBefore)}) {
    ASSERT_TRUE(claims.ok()) << claims.error().message;
    EXPECT_EQ((*claims)["iss"], "joe");
    EXPECT_EQ((*claims)["exp"], 1'300'819'380);
  }
}

TEST(Jwt, RefusesForgeries) {
  const std::string valid = token(kHsHeader, kPayload, kHsSignature);
  for (size_t i = 0; i < valid.size(); ++i) {
    if (i + 1 == valid.size()) break;  // the last character has bits that decode to nothing
    std::string changed = valid;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_NE(refusal(hs256(), changed), "") << i;
  }
  // Signed with nothing, or with the public key as if it were a secret.
  const std::string payload = R"({"exp":2000000000})";
  EXPECT_THAT(refusal(rs256(), base64url(R"({"alg":"none"})") + "." + base64url(payload) + "."),
              HasSubstr("RS256"));
  EXPECT_THAT(refusal(hs256(), base64url(R"({"alg":"none"})") + "." + base64url(payload) + "."),
              HasSubstr("HS256"));
  EXPECT_THAT(refusal(rs256(), sign(R"({"alg":"HS256"})", payload, kRsKey)), HasSubstr("RS256"));
  EXPECT_THAT(refusal(rs256(), sign(R"({"alg":"RS256"})", payload, kRsKey)), HasSubstr("signature"));
  EXPECT_THAT(refusal(hs256(), token(kRsHeader, kPayload, kRsSignature)), HasSubstr("HS256"));
  EXPECT_THAT(refusal(hs256(), token(kHsHeader, kPayload, "")), HasSubstr("signature"));
  EXPECT_THAT(
      refusal(hs256(), sign(R"({"alg":"HS256","crit":["b64"]})", payload, decode_base64(kHsKey).value())),
      HasSubstr("crit"));
}

TEST(Jwt, RefusesWhatIsNoToken) {
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."), std::string("a.b.c"), std::string("...."),
        std::string("a.b"), token(kHsHeader, kPayload, kHsSignature) + ".x",
        token(kHsHeader, kPayload, kHsSignature) + "=", std::string(100'000, '.'),
        base64url(std::string(5000, '[')) + "." + kPayload + "." + kHsSignature,
        base64url("[1]") + "." + kPayload + "." + kHsSignature}) {
    EXPECT_NE(refusal(hs256(), bad), "") << bad.substr(0, 50);
  }
}

TEST(Jwt, ChecksClaims) {
  EXPECT_EQ(refusal(hs256(), signed_claims(R"({"exp":1300819001,"nbf":1300819000.5})")), "");
  EXPECT_EQ(refusal(hs256(), signed_claims(R"({"exp":1300818941})")), "");  // within the leeway
  EXPECT_THAT(refusal(hs256(), signed_claims(R"({"exp":1300818940})")), HasSubstr("expired"));
  EXPECT_THAT(refusal(hs256(), signed_claims(R"({"exp":"1400000000"})")), HasSubstr("expected a number"));
  EXPECT_THAT(refusal(hs256(), signed_claims("{}")), HasSubstr("never expires"));
  EXPECT_THAT(refusal(hs256(), signed_claims(R"({"exp":1400000000,"nbf":1300819061})")),
              HasSubstr("not valid yet"));
  EXPECT_THAT(refusal(hs256(), signed_claims("[]")), HasSubstr("JSON object"));
  const JwtVerifier strict = hs256({.issuer = "https://id.example", .audience = "quern"});
  const std::string rest = R"("exp":1400000000})";
  EXPECT_EQ(refusal(strict, signed_claims(R"({"iss":"https://id.example","aud":"quern",)" + rest)), "");
  EXPECT_EQ(refusal(strict, signed_claims(R"({"iss":"https://id.example","aud":["a","quern"],)" + rest)), "");
  EXPECT_THAT(refusal(strict, signed_claims(R"({"iss":"https://id.example","aud":["a"],)" + rest)),
              HasSubstr("quern"));
  EXPECT_THAT(refusal(strict, signed_claims(R"({"iss":"https://id.example",)" + rest)), HasSubstr("quern"));
  EXPECT_THAT(refusal(strict, signed_claims(R"({"iss":7,"aud":"quern",)" + rest)), HasSubstr("id.example"));
}

TEST(Jwt, RefusesKeysThatDoNotFit) {
  EXPECT_FALSE(JwtVerifier::create({.algorithm = JwtOptions::Algorithm::hs256, .key = "short"}).ok());
  EXPECT_FALSE(JwtVerifier::create({.algorithm = JwtOptions::Algorithm::rs256, .key = "no PEM"}).ok());
  EXPECT_FALSE(JwtVerifier::create({.algorithm = JwtOptions::Algorithm::rs256, .key = ""}).ok());
}

}  // namespace
}  // namespace quern::server
