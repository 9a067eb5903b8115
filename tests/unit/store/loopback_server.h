// An HTTP server inside the test that misbehaves as told: each request goes to a function that writes raw bytes.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace quern::store {

// One request, and the connection it came by.
struct Call {
  int socket = -1;
  std::string target;                          // "/path?query"
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
  // False when the client has gone.
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // `headers`: whole lines, each with "\r\n".
  bool answer(const std::string& status, const std::string& extra_headers, std::string_view body) const {
    return send("HTTP/1.1 " + status + "\r\nConnection: close\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n" + extra_headers + "\r\n") &&
           send(body);
  }
};

class LoopbackServer {
 public:
  using Handler = std::function<void(const Call&)>;

  explicit LoopbackServer(Handler handler) : handler_(std::move(handler)) {
    ::setenv("no_proxy", "*", 1);  // the machine's proxy has no part in this
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      throw std::runtime_error("no loopback socket");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~LoopbackServer() {
    stop_ = true;
    thread_.join();
    ::close(listener_);
  }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  std::string url(const std::string& path, const std::string& host = "127.0.0.1") const {
    return "http://" + host + ":" + std::to_string(port_) + path;
  }
  // The requests so far.
  std::vector<Call> calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  void serve() {
    while (!stop_) {
      pollfd ready{listener_, POLLIN, 0};
      if (::poll(&ready, 1, 20) != 1) continue;
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) continue;
      Call call = read_call(socket);
      if (!call.target.empty()) {
        {
          const std::lock_guard lock(mutex_);
          calls_.push_back(call);
        }
        handler_(call);
      }
      ::close(socket);
    }
  }

  static Call read_call(int socket) {
    std::string text;
    char buffer[4096];
    while (text.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
      if (got <= 0) return {};
      text.append(buffer, static_cast<size_t>(got));
    }
    Call call;
    call.socket = socket;
    size_t line = text.find("\r\n");
    const size_t space = text.find(' ');
    call.target = text.substr(space + 1, text.find(' ', space + 1) - space - 1);
    while (text.compare(line, 4, "\r\n\r\n") != 0) {
      const size_t begin = line + 2, colon = text.find(':', begin);
      line = text.find("\r\n", begin);
      std::string name = text.substr(begin, colon - begin);
      for (char& c : name) c = static_cast<char>(::tolower(static_cast<unsigned char>(c)));
      call.headers[name] = text.substr(colon + 2, line - colon - 2);
    }
    call.body = text.substr(line + 4);
    const std::string length = call.header("content-length");
    while (!length.empty() && call.body.size() < std::stoul(length)) {
      const ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
      if (got <= 0) return {};
      call.body.append(buffer, static_cast<size_t>(got));
    }
    return call;
  }

  Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_ = false;
  mutable std::mutex mutex_;
  std::vector<Call> calls_;
  std::thread thread_;
};

}  // namespace quern::store
