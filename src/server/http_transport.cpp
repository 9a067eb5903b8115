#include "server/http_transport.h"

#include <fmt/format.h>

#include <boost/asio/ssl/stream.hpp>
#include <utility>

namespace quern::server {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

class PlainTransport : public Transport {
 public:
  explicit PlainTransport(tcp::socket socket) : socket_(std::move(socket)) {}

  void handshake(std::function<void(const SocketError&)> done) override {
    asio::post(socket_.get_executor(), [done = std::move(done)] { done({}); });
  }
  void read_some(asio::mutable_buffer buffer, Done done) override {
    socket_.async_read_some(buffer, std::move(done));
  }
  void write_some(asio::const_buffer buffer, Done done) override {
    socket_.async_write_some(buffer, std::move(done));
  }
  void end_writing(std::function<void()>) override {
    SocketError ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }
  void close() override {
    SocketError ignored;
    socket_.close(ignored);
  }

 private:
  tcp::socket socket_;
};

class TlsTransport : public Transport {
 public:
  TlsTransport(tcp::socket socket, asio::ssl::context& context) : stream_(std::move(socket), context) {}

  void handshake(std::function<void(const SocketError&)> done) override {
    stream_.async_handshake(asio::ssl::stream_base::server, std::move(done));
  }
  void read_some(asio::mutable_buffer buffer, Done done) override {
    stream_.async_read_some(buffer, std::move(done));
  }
  void write_some(asio::const_buffer buffer, Done done) override {
    stream_.async_write_some(buffer, std::move(done));
  }
  void end_writing(std::function<void()> done) override {
    stream_.async_shutdown([done = std::move(done)](const SocketError&) { done(); });
  }
  void close() override {
    SocketError ignored;
    stream_.lowest_layer().close(ignored);
  }

 private:
  asio::ssl::stream<tcp::socket> stream_;
};

}  // namespace

std::unique_ptr<Transport> plain_transport(tcp::socket socket) {
  return std::make_unique<PlainTransport>(std::move(socket));
}

std::unique_ptr<Transport> tls_transport(tcp::socket socket, asio::ssl::context& context) {
  return std::make_unique<TlsTransport>(std::move(socket), context);
}

Result<std::unique_ptr<asio::ssl::context>> tls_context(const std::string& certificate_file,
                                                        const std::string& key_file) {
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  SSL_CTX* native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);  // idle connections by the thousand
  SocketError error;
  const auto failed = [&](std::string_view what, const std::string& file) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("cannot use {} as {} of TLS: {}", file, what, error.message()),
        "expected PEM files: the certificate first, then those that signed it; and its private key");
  };
  context->use_certificate_chain_file(certificate_file, error);
  if (error) return failed("certificate", certificate_file);
  context->use_private_key_file(key_file, asio::ssl::context::pem, error);
  if (error) return failed("key", key_file);
  return context;
}

}  // namespace quern::server
