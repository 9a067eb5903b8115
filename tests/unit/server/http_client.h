// A blocking HTTP client that says what it is told, byte by byte, and reads what comes.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace quern::server::test {

struct Answer {
  int status = 0;  // 0: the connection ended before a whole answer
  std::map<std::string, std::string> headers;
  std::string body;  // without the framing of chunks
  int chunks = 0;
};

class Client {
 public:
  explicit Client(uint16_t port) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    timeval patience{20, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { leave(); }
  Client(Client&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)),
        connected_(other.connected_),
        buffer_(std::move(other.buffer_)) {}
  Client& operator=(Client&&) = delete;

  bool connected() const { return connected_; }
  int socket() const { return socket_; }

  // False when the server has gone.
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  void half_close() const { ::shutdown(socket_, SHUT_WR); }
  void leave() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }

  // What comes up to and with `mark`; less when the connection ends before.
  std::string read_until(std::string_view mark) {
    size_t at;
    while ((at = buffer_.find(mark)) == std::string::npos) {
      if (!read_more()) return std::exchange(buffer_, {});
    }
    return take(at + mark.size());
  }
  std::string read_bytes(size_t count) {
    while (buffer_.size() < count && read_more()) {
    }
    return take(std::min(count, buffer_.size()));
  }
  std::string read_to_end() {
    while (read_more()) {
    }
    return std::exchange(buffer_, {});
  }
  bool ended() { return read_to_end().empty(); }

  Answer read_head() {
    Answer answer;
    const std::string head = read_until("\r\n\r\n");
    if (!head.ends_with("\r\n\r\n") || !head.starts_with("HTTP/1.1 ")) return answer;
    answer.status = std::stoi(head.substr(9));
    size_t line = head.find("\r\n") + 2;
    while (head.compare(line, 2, "\r\n") != 0) {
      const size_t colon = head.find(": ", line), end = head.find("\r\n", line);
      answer.headers[head.substr(line, colon - line)] = head.substr(colon + 2, end - colon - 2);
      line = end + 2;
    }
    return answer;
  }
  // `head_only`: the answer to HEAD.
  Answer read_answer(bool head_only = false) {
    Answer answer = read_head();
    if (answer.status == 0 || head_only || answer.status == 204) return answer;
    if (answer.headers.contains("Transfer-Encoding")) {
      while (true) {
        const std::string line = read_until("\r\n");
        if (!line.ends_with("\r\n")) return Answer{};
        const size_t size = std::stoul(line, nullptr, 16);
        const std::string chunk = read_bytes(size + 2);
        if (chunk.size() < size + 2) return Answer{};
        if (size == 0) return answer;
        answer.body.append(chunk, 0, size);
        ++answer.chunks;
      }
    }
    if (answer.headers.contains("Content-Length")) {
      const size_t size = std::stoul(answer.headers["Content-Length"]);
      answer.body = read_bytes(size);
      if (answer.body.size() < size) return Answer{};
    } else {
      answer.body = read_to_end();
    }
    return answer;
  }
  Answer ask(std::string_view bytes) {
    send(bytes);
    return read_answer();
  }

 private:
  bool read_more() {
    char bytes[16384];
    const ssize_t got = ::recv(socket_, bytes, sizeof bytes, 0);
    if (got > 0) buffer_.append(bytes, static_cast<size_t>(got));
    return got > 0;
  }
  std::string take(size_t count) {
    std::string taken = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return taken;
  }

  int socket_ = -1;
  bool connected_ = false;
  std::string buffer_;
};

inline std::string get(std::string_view path, std::string_view headers = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: here\r\n" + std::string(headers) + "\r\n";
}

inline std::string post(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: here\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

}  // namespace quern::server::test
