// The bytes of one connection, plain or under TLS. Included by the sources of the HTTP server only: it brings Asio with
// it.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <memory>

#include "base/result.h"

namespace quern::server {

using SocketError = boost::system::error_code;

// Used by the I/O thread alone. One read and one write may be pending at once; their callbacks come later from the I/O
// thread, with an error after close().
class Transport {
 public:
  using Done = std::function<void(const SocketError&, size_t)>;

  virtual ~Transport() = default;
  virtual void handshake(std::function<void(const SocketError&)> done) = 0;
  virtual void read_some(boost::asio::mutable_buffer buffer, Done done) = 0;
  virtual void write_some(boost::asio::const_buffer buffer, Done done) = 0;
  // Tells the client that nothing more will be written, once what was written is out. `done` keeps alive what owns the
  // transport.
  virtual void end_writing(std::function<void()> done) = 0;
  virtual void close() = 0;
};

std::unique_ptr<Transport> plain_transport(boost::asio::ip::tcp::socket socket);
std::unique_ptr<Transport> tls_transport(boost::asio::ip::tcp::socket socket,
                                         boost::asio::ssl::context& context);

// TLS 1.2 and 1.3 with this certificate (chain) and key, PEM. invalid_argument names the file and OpenSSL's reason.
Result<std::unique_ptr<boost::asio::ssl::context>> tls_context(const std::string& certificate_file,
                                                               const std::string& key_file);

}  // namespace quern::server
