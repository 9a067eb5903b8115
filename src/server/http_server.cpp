#include "server/http_server.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/threads.h"
#include "server/api_error.h"
#include "server/http_connection.h"

namespace quern::server {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::chrono::milliseconds kTick{100};
constexpr size_t kMostRefusals = 64;  // connections beyond the limit that still get an answer

// The limit of open files is often 1024, which is fewer than the connections that are allowed.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Error listen_error(const HttpServerOptions& options, const SocketError& error) {
  ErrorCode code = ErrorCode::invalid_argument;
  std::string hint;
  if (error == asio::error::address_in_use) {
    code = ErrorCode::unavailable;
    hint = "another program uses this port; choose a free one, or 0 for any";
  } else if (error == asio::error::access_denied) {
    code = ErrorCode::permission;
    hint = "ports below 1024 need privileges";
  }
  return make_error(
      code, fmt::format("cannot listen on {}:{}: {}", options.host, options.port, error.message()), hint);
}

}  // namespace

struct HttpServer::Impl : HttpHost {
  explicit Impl(Handler handler_) : handler(std::move(handler_)) {}

  Result<void> open();
  void accept();
  void on_accept(const SocketError& error, tcp::socket socket);
  void tick();
  void on_tick();
  void begin_end(HttpConnection::Clock::time_point end);
  void close_all();
  void handle(HttpRequest request, std::shared_ptr<HttpReply> reply) override;
  void forget(const std::shared_ptr<HttpConnection>& connection) override;

  Handler handler;
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  asio::steady_timer timer{io};
  std::unique_ptr<asio::ssl::context> tls;
  std::unordered_set<std::shared_ptr<HttpConnection>> connections;
  HttpConnection::Clock::time_point drain_end;
  bool ticking = false;
  bool accept_at_tick = false;
  std::optional<asio::thread_pool> workers;
};

Result<void> HttpServer::Impl::open() {
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return make_error(ErrorCode::invalid_argument,
                      "TLS needs a certificate and its key: expected both files, got one");
  }
  if (!options.certificate_file.empty()) {
    QUERN_TRY(tls, tls_context(options.certificate_file, options.key_file));
  }
  SocketError error;
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(options.host, std::to_string(options.port),
                                      tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || found.empty()) return listen_error(options, error);
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return listen_error(options, error);
  options.port = acceptor.local_endpoint().port();
  return {};
}

void HttpServer::Impl::accept() {
  acceptor.async_accept(
      [this](const SocketError& error, tcp::socket socket) { on_accept(error, std::move(socket)); });
}

void HttpServer::Impl::on_accept(const SocketError& error, tcp::socket socket) {
  if (!acceptor.is_open()) return;
  if (error) {
    if (error != asio::error::connection_aborted) {  // out of files or memory: waits for some to come back
      log::warn("server", "cannot accept a connection: {}", error.message());
      accept_at_tick = true;
      if (!ticking) tick();
      return;
    }
    return accept();
  }
  SocketError ignored;
  const tcp::endpoint remote = socket.remote_endpoint(ignored);
  socket.set_option(tcp::no_delay(true), ignored);
  ++stats.accepted;
  const bool full = connections.size() >= options.connections;
  if (full && (tls || connections.size() >= options.connections + kMostRefusals)) {
    ++stats.refused;  // without a word
    return accept();
  }
  auto transport = tls ? tls_transport(std::move(socket), *tls) : plain_transport(std::move(socket));
  const auto connection = std::make_shared<HttpConnection>(*this, io.get_executor(), std::move(transport),
                                                           remote.address().to_string(), tls != nullptr);
  connections.insert(connection);
  stats.open = static_cast<int64_t>(connections.size());
  if (full) {
    connection->start_refused(
        503, fmt::format("the server holds its limit of {} connections", options.connections));
  } else {
    connection->start();
  }
  if (!ticking) tick();
  accept();
}

// Runs while there are connections.
void HttpServer::Impl::tick() {
  ticking = true;
  timer.expires_after(kTick);
  timer.async_wait([this](const SocketError& error) {
    ticking = false;
    if (!error) on_tick();
  });
}

void HttpServer::Impl::on_tick() {
  const auto now = HttpConnection::Clock::now();
  if (draining && now >= drain_end) close_all();
  const std::vector<std::shared_ptr<HttpConnection>> all(connections.begin(), connections.end());
  for (const auto& connection : all) connection->tick(now);
  if (std::exchange(accept_at_tick, false) && acceptor.is_open()) accept();
  if (!connections.empty()) tick();
}

void HttpServer::Impl::begin_end(HttpConnection::Clock::time_point end) {
  draining = true;
  drain_end = end;
  SocketError ignored;
  acceptor.close(ignored);
}

void HttpServer::Impl::close_all() {
  const std::vector<std::shared_ptr<HttpConnection>> all(connections.begin(), connections.end());
  for (const auto& connection : all) connection->close();
  timer.cancel();
}

void HttpServer::Impl::forget(const std::shared_ptr<HttpConnection>& connection) {
  connections.erase(connection);
  stats.open = static_cast<int64_t>(connections.size());
}

void HttpServer::Impl::handle(HttpRequest request, std::shared_ptr<HttpReply> reply) {
  asio::post(*workers, [this, request = std::move(request), reply = std::move(reply)]() mutable {
    handler(std::move(request), std::move(reply));
    release_threads();  // of long texts that were read on many
  });
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::listen(HttpServerOptions options, Handler handler) {
  auto impl = std::make_unique<Impl>(answering_errors(std::move(handler)));
  impl->options = std::move(options);
  raise_file_limit();
  QUERN_CHECK(impl->open());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

uint16_t HttpServer::port() const { return impl_->options.port; }

std::string HttpServer::url() const {
  const bool v6 = impl_->options.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", impl_->tls ? "https" : "http", v6 ? "[" : "", impl_->options.host,
                     v6 ? "]" : "", port());
}

void HttpServer::run() {
  impl_->workers.emplace(static_cast<size_t>(std::max(1, impl_->options.workers)));
  if (!impl_->draining) impl_->accept();
  impl_->io.run();
  impl_->workers->join();
}

void HttpServer::stop() {
  asio::post(impl_->io, [impl = impl_.get()] {
    impl->begin_end(HttpConnection::Clock::now());
    impl->close_all();
  });
}

void HttpServer::drain(std::chrono::milliseconds limit) {
  asio::post(impl_->io, [impl = impl_.get(), limit] {
    impl->begin_end(HttpConnection::Clock::now() + limit);
    const std::vector<std::shared_ptr<HttpConnection>> all(impl->connections.begin(),
                                                           impl->connections.end());
    for (const auto& connection : all) connection->drain();
  });
}

const HttpServerStats& HttpServer::stats() const { return impl_->stats; }

HttpServer::Handler answering_errors(HttpServer::Handler next) {
  return [next = std::move(next)](HttpRequest request, const std::shared_ptr<HttpReply>& reply) {
    const std::string what = fmt::format("{} {}", request.method, request.path);
    try {
      next(std::move(request), reply);
    } catch (const Exception& error) {
      log::error("server", "{}: {}", what, error.what());
      reply->send(to_response(api_error_of(error.error())));
    } catch (const std::exception& error) {
      log::error("server", "{}: {}", what, error.what());
      reply->send(to_response(api_error(500, "the server failed at this request; its log says why")));
    }
  };
}

bool is_loopback_host(const std::string& host) {
  if (host == "localhost") return true;
  SocketError error;
  const auto address = asio::ip::make_address(host, error);
  return !error && address.is_loopback();
}

}  // namespace quern::server
