#include "server/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

#include "http_client.h"
#include "running_server.h"

namespace quern::server::test {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

// Answers with what it was asked.
void echo(const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
  HttpResponse response;
  response.content_type = "text/plain";
  response.body = request.method + " " + request.path + " " + request.body;
  reply->send(std::move(response));
}

TEST(HttpServer, HandsOverTheRequest) {
  HttpRequest seen;
  RunningServer server([&](const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
    seen = request;
    echo(request, reply);
  });
  Client client(server.port());
  const Answer answer = client.ask(
      "POST /v1/models/a%2Fb?x=1&y=a+b%21&x=2 HTTP/1.1\r\nhOST: here\r\nX-Twice: a\r\nx-twice: b\r\n"
      "Content-Length: 5\r\n\r\nhello");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "POST /v1/models/a%2Fb hello");
  EXPECT_EQ(answer.headers.at("Content-Type"), "text/plain");
  EXPECT_TRUE(answer.headers.contains("Date"));
  server->stop();
  server.join();
  EXPECT_EQ(seen.path, "/v1/models/a%2Fb");
  EXPECT_EQ(seen.query, (std::map<std::string, std::string>{{"x", "2"}, {"y", "a b!"}}));
  EXPECT_EQ(seen.header("Host"), "here");
  EXPECT_EQ(seen.header("X-TWICE"), "a, b");
  EXPECT_EQ(seen.header("Nothing"), "");
  EXPECT_EQ(seen.remote, "127.0.0.1");
  EXPECT_FALSE(seen.tls);
}

TEST(HttpServer, KeepsTheConnection) {
  RunningServer server(echo);
  Client client(server.port());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(client.ask(post("/" + std::to_string(i), "body")).body, "POST /" + std::to_string(i) + " body");
  }
  EXPECT_EQ(server->stats().accepted, 1);
  EXPECT_EQ(server->stats().requests, 5);
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  RunningServer server(echo);
  Client client(server.port());
  std::string all;
  for (int i = 0; i < 50; ++i) all += post("/" + std::to_string(i), std::string(static_cast<size_t>(i), 'x'));
  client.send(all + "\r\n" + get("/end"));
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(client.read_answer().body,
              "POST /" + std::to_string(i) + " " + std::string(static_cast<size_t>(i), 'x'));
  }
  EXPECT_EQ(client.read_answer().body, "GET /end ");
}

TEST(HttpServer, ReadsBeyondWhatItKeepsAheadOnceTheAnswerIsOut) {
  Event go;
  RunningServer server([&](const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
    if (request.path == "/first") go.wait();
    echo(request, reply);
  });
  Client client(server.port());
  client.send(get("/first"));
  const std::string body(300'000, 'b');
  std::thread sender([&] { client.send(post("/second", body)); });
  go.set();
  EXPECT_EQ(client.read_answer().body, "GET /first ");
  EXPECT_EQ(client.read_answer().body, "POST /second " + body);
  sender.join();
}

TEST(HttpServer, TakesRequestsByteByByte) {
  RunningServer server(echo);
  Client client(server.port());
  for (const char c : post("/slow", "abc") +
                          "POST /chunks HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "2\r\nxy\r\n1;ext=1\r\nz\r\n0\r\nTrailer: t\r\n\r\n" +
                          "POST /none HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") {
    ASSERT_TRUE(client.send(std::string_view(&c, 1)));
  }
  EXPECT_EQ(client.read_answer().body, "POST /slow abc");
  EXPECT_EQ(client.read_answer().body, "POST /chunks xyz");
  EXPECT_EQ(client.read_answer().body, "POST /none ");
}

TEST(HttpServer, SaysContinue) {
  RunningServer server(echo);
  Client client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(client.ask("abc").body, "POST / abc");
  client.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 413);
}

TEST(HttpServer, AnswersHeadWithoutBody) {
  RunningServer server([](const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
    if (request.path != "/stream") return echo(request, reply);
    reply->begin(200, "text/plain");
    reply->write("something");
    reply->end();
  });
  Client client(server.port());
  for (const std::string path : {"/a", "/stream", "/b"}) {
    client.send("HEAD " + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(client.read_answer(true).status, 200) << path;
  }
  EXPECT_EQ(client.ask(get("/c")).body, "GET /c ");
}

TEST(HttpServer, ClosesWhereTheClientOrItsVersionAsks) {
  RunningServer server(echo);
  const auto ask_and_end = [&](const std::string& request) {
    Client client(server.port());
    client.send(request);
    Answer answer = client.read_answer();
    EXPECT_EQ(answer.body, "GET / ");
    EXPECT_TRUE(client.ended());
    return answer;
  };
  EXPECT_EQ(ask_and_end(get("/", "Connection: close\r\n")).headers.at("Connection"), "close");
  EXPECT_EQ(ask_and_end("GET / HTTP/1.0\r\n\r\n").headers.at("Connection"), "close");
  Client client(server.port());
  for (int i = 0; i < 2; ++i) {
    const Answer answer = client.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(answer.headers.at("Connection"), "keep-alive");
  }
}

// Streams "0", "1", ... "9" from a thread of its own.
class Counting {
 public:
  ~Counting() {
    for (std::thread& thread : threads_) thread.join();
  }
  void operator()(const HttpRequest&, std::shared_ptr<HttpReply> reply) {
    const std::lock_guard lock(mutex_);
    threads_.emplace_back([reply = std::move(reply)] {
      reply->begin(200, "text/event-stream");
      for (int i = 0; i < 10; ++i) reply->write(std::to_string(i));
      reply->end();
    });
  }

 private:
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

TEST(HttpServer, StreamsInChunksAndKeepsTheConnection) {
  Counting counting;
  RunningServer server(std::ref(counting));
  Client client(server.port());
  for (int i = 0; i < 3; ++i) {
    const Answer answer = client.ask(get("/"));
    EXPECT_EQ(answer.body, "0123456789");
    EXPECT_EQ(answer.chunks, 10);
  }
  Client old(server.port());
  const Answer answer = old.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(answer.body, "0123456789");
  EXPECT_FALSE(answer.headers.contains("Transfer-Encoding"));
  EXPECT_EQ(answer.headers.at("Connection"), "close");
}

TEST(HttpServer, HoldsManyStreamsAtOnce) {
  std::mutex mutex;
  std::vector<std::shared_ptr<HttpReply>> replies;
  RunningServer server([&](const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
    reply->begin(200, "text/plain");
    reply->write(request.path);
    const std::lock_guard lock(mutex);
    replies.push_back(reply);
  });
  std::vector<Client> clients;
  for (int i = 0; i < 300; ++i) {
    clients.emplace_back(server.port());
    ASSERT_TRUE(clients.back().send(get("/" + std::to_string(i))));
  }
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(clients[static_cast<size_t>(i)].read_head().status, 200);
    const std::string path = "/" + std::to_string(i);
    EXPECT_THAT(clients[static_cast<size_t>(i)].read_until(path + "\r\n"), HasSubstr(path));
  }
  EXPECT_EQ(server->stats().open, 300);
  const std::lock_guard lock(mutex);
  for (const auto& reply : replies) {
    reply->write("bye");
    reply->end();
  }
  for (Client& client : clients) EXPECT_EQ(client.read_until("0\r\n\r\n"), "3\r\nbye\r\n0\r\n\r\n");
}

TEST(HttpServer, AnswersAClientThatOnlyClosedItsSendingSide) {
  RunningServer server(echo);
  Client client(server.port());
  client.send(get("/a") + get("/b") + post("/c", "c"));
  client.half_close();
  EXPECT_EQ(client.read_answer().body, "GET /a ");
  EXPECT_EQ(client.read_answer().body, "GET /b ");
  EXPECT_EQ(client.read_answer().body, "POST /c c");
  EXPECT_TRUE(client.ended());
  Client part(server.port());
  part.send("GET / HT");
  part.half_close();
  EXPECT_TRUE(part.ended());
}

TEST(HttpServer, NoticesAClientThatLeavesWhileItWaits) {
  Event started, closed, at_once;
  std::shared_ptr<HttpReply> kept;
  RunningServer server([&](const HttpRequest&, std::shared_ptr<HttpReply> reply) {
    reply->on_close([&] { closed.set(); });
    kept = std::move(reply);
    started.set();
  });
  Client client(server.port());
  client.send(get("/"));
  ASSERT_TRUE(started.wait());
  EXPECT_FALSE(kept->closed());
  client.leave();
  ASSERT_TRUE(closed.wait());
  EXPECT_TRUE(kept->closed());
  kept->on_close([&] { at_once.set(); });
  EXPECT_TRUE(at_once.is_set());
  kept->send({});
}

TEST(HttpServer, NoticesAClientThatLeavesDuringAStream) {
  Event closed;
  std::atomic<int> calls = 0;
  RunningServer server([&](const HttpRequest&, const std::shared_ptr<HttpReply>& reply) {
    reply->on_close([&] {
      ++calls;
      closed.set();
    });
    reply->begin(200, "text/plain");
    while (!reply->closed()) {
      reply->write("more ");
      std::this_thread::sleep_for(milliseconds(1));
    }
    reply->write("after");
    reply->end();
  });
  Client client(server.port());
  client.send(get("/"));
  client.read_until("more");
  client.leave();
  ASSERT_TRUE(closed.wait());
  server->stop();
  server.join();
  EXPECT_EQ(calls, 1);
}

TEST(HttpServer, CutsOffAReaderWhoseQueueGrowsPastTheLimit) {
  Event closed;
  HttpServerOptions options;
  options.queue_bytes = 100'000;
  RunningServer server(
      [&](const HttpRequest&, const std::shared_ptr<HttpReply>& reply) {
        reply->begin(200, "text/plain");
        const std::string piece(10'000, 'x');
        for (int i = 0; i < 5'000 && !reply->closed(); ++i) {
          reply->write(piece);
          std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
        if (reply->closed()) closed.set();
      },
      options);
  Client client(server.port());
  client.send(get("/"));
  ASSERT_TRUE(closed.wait());
  EXPECT_EQ(server->stats().cut_off, 1);
}

TEST(HttpServer, CutsOffAReaderWhoStalls) {
  Event closed;
  HttpServerOptions options;
  options.stall_time = milliseconds(150);
  RunningServer server(
      [&](const HttpRequest&, const std::shared_ptr<HttpReply>& reply) {
        reply->on_close([&] { closed.set(); });
        reply->send({.body = std::string(40 << 20, 'x')});
      },
      options);
  Client client(server.port());
  client.send(get("/"));
  while (server->stats().cut_off == 0) std::this_thread::sleep_for(milliseconds(10));
  EXPECT_FALSE(closed.is_set());  // what was sent whole is no longer the handler's concern
}

TEST(HttpServer, TurnsExceptionsIntoErrors) {
  RunningServer server([](const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
    if (request.path == "/error") {
      throw Exception(
          make_error(ErrorCode::not_found, "there is no model \"x\"", "GET /v1/models lists them"));
    }
    if (request.path == "/bug") throw std::runtime_error("secret");
    if (request.path == "/broken") {
      reply->begin(200, "text/plain");
      reply->write("half");
    }
  });
  Client client(server.port());
  const Answer error = client.ask(get("/error"));
  EXPECT_EQ(error.status, 404);
  EXPECT_EQ(error.body,
            R"({"error":{"code":"not_found","message":"there is no model \"x\"; GET /v1/models lists them",)"
            R"("param":null,"type":"not_found_error"}})");
  const Answer bug = client.ask(get("/bug"));
  EXPECT_EQ(bug.status, 500);
  EXPECT_THAT(bug.body, Not(HasSubstr("secret")));
  EXPECT_EQ(client.ask(get("/forgotten")).status, 500);
  client.send(get("/broken"));
  EXPECT_EQ(client.read_head().status, 200);
  EXPECT_EQ(client.read_to_end().find("0\r\n\r\n"), std::string::npos);  // broken off, not complete
}

TEST(HttpServer, IgnoresASecondAnswer) {
  RunningServer server([](const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
    echo(request, reply);
    echo(request, reply);
    reply->write("x");
    reply->end();
    reply->begin(200, "x");
  });
  Client client(server.port());
  EXPECT_EQ(client.ask(get("/a")).body, "GET /a ");
  EXPECT_EQ(client.ask(get("/b")).body, "GET /b ");
}

TEST(HttpServer, RefusesWhatIsNoRequest) {
  HttpServerOptions options;
  options.limits = {.body_bytes = 1000, .header_bytes = 2000, .headers = 20};
  RunningServer server(echo, options);
  std::string many;
  for (int i = 0; i < 30; ++i) many.append("X").append(std::to_string(i)).append(": 1\r\n");
  const std::string chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::vector<std::pair<std::string, int>> cases = {
      {"GARBAGE\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /?a=%2 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nBad Name: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01z\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nabc", 501},
      {"POST / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nContent-Length: 3\r\n\r\nabc", 417},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n" + std::string(1001, 'x'), 413},
      {chunked + "3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n", 413},
      {chunked + "nonsense\r\n", 400},
      {chunked + "3\r\nabcd\r\n0\r\n\r\n", 400},
      {"GET /" + std::string(3000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 431},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(3000, 'a') + "\r\n\r\n", 431},
      {"GET / HTTP/1.1\r\nHost: a\r\n" + many + "\r\n", 431},
  };
  for (const auto& [request, status] : cases) {
    Client client(server.port());
    const Answer answer = client.ask(request);
    EXPECT_EQ(answer.status, status) << request.substr(0, 100);
    EXPECT_THAT(answer.body, HasSubstr(R"({"error":{"code":null,"message":")"));
    EXPECT_TRUE(answer.headers.contains("Connection"));
    client.half_close();
    EXPECT_TRUE(client.ended());
  }
  EXPECT_EQ(server->stats().requests, 0);
  EXPECT_EQ(server->stats().refused, static_cast<int64_t>(cases.size()));
  EXPECT_EQ(Client(server.port()).ask(get("/")).status, 200);
}

TEST(HttpServer, AnswersAnUploadThatIsTooLargeBeforeItEnds) {
  RunningServer server(echo);
  Client client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
  const std::string piece(1 << 20, 'x');
  for (int i = 0; i < 20 && client.send(piece); ++i) {
  }
  EXPECT_EQ(client.read_answer().status, 413);
}

TEST(HttpServer, TakesTargetsOfAllForms) {
  RunningServer server(echo);
  Client client(server.port());
  EXPECT_EQ(client.ask("GET http://here/a?b=c HTTP/1.1\r\nHost: h\r\n\r\n").body, "GET /a ");
  EXPECT_EQ(client.ask("GET http://here HTTP/1.1\r\nHost: h\r\n\r\n").body, "GET / ");
  EXPECT_EQ(client.ask("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").body, "OPTIONS * ");
}

TEST(HttpServer, TrailersDoNotBecomeHeaders) {
  RunningServer server([](const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
    reply->send({.body = std::string(request.header("authorization"))});
  });
  Client client(server.port());
  EXPECT_EQ(client
                .ask("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "1\r\nx\r\n0\r\nAuthorization: Bearer stolen\r\n\r\n")
                .body,
            "");
}

TEST(HttpServer, NoHeaderOfAnAnswerEndsItsLine) {
  RunningServer server([](const HttpRequest&, const std::shared_ptr<HttpReply>& reply) {
    reply->send({.body = "x", .headers = {{"X-Id", "a\r\nSet-Cookie: b"}}});
  });
  const Answer answer = Client(server.port()).ask(get("/"));
  EXPECT_EQ(answer.headers.at("X-Id"), "a  Set-Cookie: b");
  EXPECT_FALSE(answer.headers.contains("Set-Cookie"));
}

TEST(HttpServer, ForgetsClientsThatAreTooSlow) {
  HttpServerOptions options;
  options.head_time = options.body_time = options.idle_time = milliseconds(150);
  RunningServer server(echo, options);
  Client head(server.port()), body(server.port()), idle(server.port()), silent(server.port());
  head.send("GET / HTTP/1.1\r\nHo");
  body.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_EQ(idle.ask(get("/")).status, 200);
  EXPECT_EQ(head.read_answer().status, 408);
  EXPECT_EQ(body.read_answer().status, 408);
  EXPECT_TRUE(idle.ended());
  EXPECT_TRUE(silent.ended());
}

TEST(HttpServer, LimitsConnections) {
  HttpServerOptions options;
  options.connections = 2;
  RunningServer server(echo, options);
  Client one(server.port()), two(server.port());
  EXPECT_EQ(one.ask(get("/")).status, 200);
  EXPECT_EQ(two.ask(get("/")).status, 200);
  const Answer refused = Client(server.port()).ask(get("/"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.at("Retry-After"), "1");
  EXPECT_EQ(one.ask(get("/")).status, 200);
}

TEST(HttpServer, LimitsTheBytesOfAllBodies) {
  Event started, go;
  HttpServerOptions options;
  options.all_bodies_bytes = 1000;
  RunningServer server(
      [&](const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
        started.set();
        go.wait();
        echo(request, reply);
      },
      options);
  Client one(server.port());
  one.send(post("/", std::string(800, 'x')));
  ASSERT_TRUE(started.wait());
  EXPECT_EQ(Client(server.port()).ask(post("/", std::string(800, 'x'))).status, 503);
  go.set();
  EXPECT_EQ(one.read_answer().status, 200);
  EXPECT_EQ(Client(server.port()).ask(post("/", std::string(800, 'x'))).status, 200);
}

TEST(HttpServer, WritesWhileAStreamIsSilent) {
  std::shared_ptr<HttpReply> kept;
  RunningServer server([&](const HttpRequest&, std::shared_ptr<HttpReply> reply) {
    reply->begin(200, "text/event-stream");
    reply->keep_alive(milliseconds(50), ": alive\n\n");
    kept = std::move(reply);
  });
  Client client(server.port());
  client.send(get("/"));
  client.read_head();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.read_until("alive\n\n\r\n"), "9\r\n: alive\n\n\r\n");
}

TEST(HttpServer, DrainsWhatRuns) {
  Event started;
  std::shared_ptr<HttpReply> kept;
  RunningServer server([&](const HttpRequest& request, std::shared_ptr<HttpReply> reply) {
    if (request.path != "/stream") return echo(request, reply);
    reply->begin(200, "text/plain");
    reply->write("one ");
    kept = std::move(reply);
    started.set();
  });
  Client idle(server.port()), busy(server.port()), halfway(server.port());
  EXPECT_EQ(idle.ask(get("/")).status, 200);
  busy.send(get("/stream"));
  halfway.send("POST /halfway HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na");
  ASSERT_TRUE(started.wait());
  std::this_thread::sleep_for(milliseconds(50));
  server->drain(std::chrono::seconds(15));
  EXPECT_TRUE(idle.ended());
  EXPECT_FALSE(Client(server.port()).connected());
  const Answer finished = halfway.ask("b");
  EXPECT_EQ(finished.body, "POST /halfway ab");
  EXPECT_EQ(finished.headers.at("Connection"), "close");
  halfway.leave();
  kept->write("two");
  kept->end();
  EXPECT_EQ(busy.read_answer().body, "one two");
  busy.leave();
  server.join();
}

TEST(HttpServer, DrainEndsAtItsLimit) {
  Event started, closed;
  std::shared_ptr<HttpReply> kept;
  RunningServer server([&](const HttpRequest&, std::shared_ptr<HttpReply> reply) {
    reply->on_close([&] { closed.set(); });
    kept = std::move(reply);
    started.set();
  });
  Client client(server.port());
  client.send(get("/"));
  ASSERT_TRUE(started.wait());
  server->drain(milliseconds(100));
  server.join();
  EXPECT_TRUE(closed.is_set());
  EXPECT_TRUE(client.ended());
}

TEST(HttpServer, RepliesMayOutliveTheServer) {
  std::shared_ptr<HttpReply> kept;
  Event started;
  {
    RunningServer server([&](const HttpRequest&, std::shared_ptr<HttpReply> reply) {
      reply->begin(200, "text/plain");
      kept = std::move(reply);
      started.set();
    });
    Client client(server.port());
    client.send(get("/"));
    ASSERT_TRUE(started.wait());
  }
  EXPECT_TRUE(kept->closed());
  kept->write("late");
  kept->end();
}

TEST(HttpServer, StopsFromAHandler) {
  RunningServer* running = nullptr;
  RunningServer server([&](const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
    (*running)->stop();
    echo(request, reply);
  });
  running = &server;
  Client(server.port()).ask(get("/"));
  server.join();
}

TEST(HttpServer, SaysWhyItCannotListen) {
  RunningServer server(echo);
  const auto taken = HttpServer::listen({.port = server.port()}, echo);
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code, ErrorCode::unavailable);
  EXPECT_THAT(taken.error().message, HasSubstr("127.0.0.1:" + std::to_string(server.port())));
  EXPECT_FALSE(HttpServer::listen({.host = "256.1.1.1", .port = 0}, echo).ok());
  EXPECT_FALSE(HttpServer::listen({.port = 0, .certificate_file = "a.pem"}, echo).ok());
  EXPECT_FALSE(HttpServer::listen({.port = 0, .certificate_file = "a.pem", .key_file = "b.pem"}, echo).ok());
}

TEST(HttpServer, KnowsLoopbackHosts) {
  for (const char* host : {"localhost", "127.0.0.1", "127.9.9.9", "::1"})
    EXPECT_TRUE(is_loopback_host(host)) << host;
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "example.org", ""}) {
    EXPECT_FALSE(is_loopback_host(host)) << host;
  }
}

}  // namespace
}  // namespace quern::server::test
