#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cstdio>
#include <fstream>
#include <thread>

#include "http_client.h"
#include "running_server.h"
#include "support/temp_dir.h"

namespace quern::server::test {
namespace {

// A certificate of "localhost" that signs itself, and its key.
void make_certificate(const std::filesystem::path& certificate_file, const std::filesystem::path& key_file) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"),
                             -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_sign(certificate, key, EVP_sha256());
  FILE* file = std::fopen(certificate_file.c_str(), "w");
  PEM_write_X509(file, certificate);
  std::fclose(file);
  file = std::fopen(key_file.c_str(), "w");
  PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

class TlsClient {
 public:
  TlsClient(uint16_t port, const std::filesystem::path& certificate_file, int version = TLS1_3_VERSION)
      : client_(port), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_max_proto_version(context_, version);
    SSL_CTX_load_verify_locations(context_, certificate_file.c_str(), nullptr);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, client_.socket());
    connected_ = SSL_connect(ssl_) == 1;
    ERR_clear_error();
  }
  ~TlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  bool connected() const { return connected_; }
  void send(std::string_view text) const { SSL_write(ssl_, text.data(), static_cast<int>(text.size())); }
  std::string read_until(std::string_view mark) {
    std::string text;
    char c;
    while (!text.ends_with(mark) && SSL_read(ssl_, &c, 1) == 1) text.push_back(c);
    return text;
  }
  // The other side said goodbye as TLS wants it, and nothing before.
  bool ended() {
    char c;
    const int got = SSL_read(ssl_, &c, 1);
    return got <= 0 && SSL_get_error(ssl_, got) == SSL_ERROR_ZERO_RETURN;
  }
  void leave() { client_.leave(); }

 private:
  Client client_;
  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
  bool connected_ = false;
};

class HttpTls : public testing::Test {
 protected:
  HttpTls() {
    make_certificate(dir_ / "cert.pem", dir_ / "key.pem");
    options_.certificate_file = dir_ / "cert.pem";
    options_.key_file = dir_ / "key.pem";
  }
  const quern::test::TempDir dir_;
  HttpServerOptions options_;
};

TEST_F(HttpTls, AnswersAndStreams) {
  RunningServer server(
      [](const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
        if (request.path != "/stream")
          return reply->send({.body = request.tls ? "tls " + request.body : "plain"});
        reply->begin(200, "text/plain");
        reply->write("one");
        reply->write(std::string(100'000, 'x'));
        reply->end();
      },
      options_);
  EXPECT_TRUE(server->url().starts_with("https://"));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(server.port(), dir_ / "cert.pem", version);
    ASSERT_TRUE(client.connected());
    client.send(post("/", "hello"));
    EXPECT_TRUE(client.read_until("hello").ends_with("tls hello"));
    client.send(get("/stream", "Connection: close\r\n"));
    EXPECT_THAT(client.read_until("\r\n0\r\n\r\n"), testing::HasSubstr(std::string(100'000, 'x')));
    EXPECT_TRUE(client.ended());
  }
}

TEST_F(HttpTls, NoticesAClientThatLeaves) {
  Event started, closed;
  std::shared_ptr<HttpReply> kept;
  RunningServer server(
      [&](const HttpRequest&, std::shared_ptr<HttpReply> reply) {
        reply->on_close([&] { closed.set(); });
        kept = std::move(reply);
        started.set();
      },
      options_);
  TlsClient client(server.port(), dir_ / "cert.pem");
  client.send(get("/"));
  ASSERT_TRUE(started.wait());
  client.leave();
  EXPECT_TRUE(closed.wait());
}

TEST_F(HttpTls, SurvivesWhatIsNotTls) {
  options_.head_time = std::chrono::milliseconds(150);
  RunningServer server([](const HttpRequest&, const std::shared_ptr<HttpReply>& reply) { reply->send({}); },
                       options_);
  EXPECT_EQ(Client(server.port()).ask(get("/")).status, 0);
  Client silent(server.port());
  EXPECT_TRUE(silent.ended());
  EXPECT_FALSE(TlsClient(server.port(), dir_ / "cert.pem", TLS1_1_VERSION).connected());
  EXPECT_TRUE(TlsClient(server.port(), dir_ / "cert.pem").connected());
}

TEST_F(HttpTls, RefusesFilesThatDoNotFit) {
  make_certificate(dir_ / "cert2.pem", dir_ / "key2.pem");
  const auto listen = [&](const std::string& certificate, const std::string& key) {
    HttpServerOptions options;
    options.port = 0;
    options.certificate_file = dir_ / certificate;
    options.key_file = dir_ / key;
    return HttpServer::listen(options, nullptr);
  };
  EXPECT_TRUE(listen("cert.pem", "key.pem").ok());
  EXPECT_FALSE(listen("cert.pem", "key2.pem").ok());
  EXPECT_FALSE(listen("key.pem", "key.pem").ok());
  EXPECT_FALSE(listen("none.pem", "key.pem").ok());
}

}  // namespace
}  // namespace quern::server::test
