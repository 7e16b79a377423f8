#include "http/server.hpp"

#include "http/client.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "http/router.hpp"
#include "live.hpp"
#include "requests.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace twophase::http {
namespace {

using namespace std::chrono_literals;
using namespace test;

// Holds requests until the test answers them.
class Held {
public:
    Handler handler() {
        return [this](Request request, Respond respond) {
            respond_ = std::move(respond);
            arrived_.set_value(std::move(request));
        };
    }
    Request wait() { return arrived_.get_future().get(); }
    /// On the loop's thread.
    void answer(Response response) const { respond_(std::move(response)); }

private:
    Respond respond_;
    std::promise<Request> arrived_;
};

// --- what is served ---

TEST(ServerTest, ServesOneRequestAfterTheOtherOnOneConnection) {
    LiveServer server(echo);
    RawSocket socket = server.connect();
    for (int i = 0; i < 3; ++i) {
        socket.send(post("/a", "{\"n\":" + std::to_string(i) + "}"));
        const std::string answer = socket.read_message();
        EXPECT_EQ(status_of(answer), 200);
        EXPECT_EQ(body_of(answer), "POST /a {\"n\":" + std::to_string(i) + "}");
        EXPECT_TRUE(has(answer, "Cache-Control: no-store\r\n"));
        EXPECT_TRUE(has(answer, "X-Content-Type-Options: nosniff\r\n"));
    }
    EXPECT_EQ(server.connections(), 1U);
}

TEST(ServerTest, AnswersPipelinedRequestsInOrder) {
    LiveServer server(echo);
    RawSocket socket = server.connect();
    socket.send(get("/1") + post("/2", "{}") + get("/3") +
                with_headers(chunked, "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n") + get("/5"));
    EXPECT_EQ(body_of(socket.read_message()), "GET /1 ");
    EXPECT_EQ(body_of(socket.read_message()), "POST /2 {}");
    EXPECT_EQ(body_of(socket.read_message()), "GET /3 ");
    EXPECT_EQ(body_of(socket.read_message()), "POST /x {}");
    EXPECT_EQ(body_of(socket.read_message()), "GET /5 ");
}

TEST(ServerTest, ReadsRequestsThatComeByteByByte) {
    LiveServer server(echo);
    RawSocket socket = server.connect();
    const std::string bytes =
        post("/a", "{\"b\":1}") + with_headers(chunked, "2;x=y\r\n{}\r\n0\r\n\r\n");
    for (const char byte : bytes) ASSERT_TRUE(socket.send({&byte, 1}));
    EXPECT_EQ(body_of(socket.read_message()), "POST /a {\"b\":1}");
    EXPECT_EQ(body_of(socket.read_message()), "POST /x {}");
}

TEST(ServerTest, TakesWhatIsAtTheLimits) {
    ServerOptions options;
    options.max_body_bytes = 10;
    options.max_headers = 5;
    options.max_head_bytes = 300;
    LiveServer server(echo, options);
    RawSocket socket = server.connect();
    socket.send(post("/a", "1234567890"));
    EXPECT_EQ(status_of(socket.read_message()), 200);
    socket.send(with_headers(chunked, "a\r\n1234567890\r\n0\r\n\r\n"));
    EXPECT_EQ(status_of(socket.read_message()), 200);
    std::string whole = "GET / HTTP/1.1\r\n" + host + "A: 1\r\nB: 1\r\nC: 1\r\nD: \r\n\r\n";
    whole.insert(whole.size() - 4, 300 - whole.size(), 'd');
    socket.send(whole);
    EXPECT_EQ(status_of(socket.read_message()), 200);
    whole.insert(whole.size() - 4, 1, 'd');
    socket.send(whole);
    EXPECT_EQ(status_of(socket.read_message()), 431);
}

TEST(ServerTest, APathMayHaveALimitOfItsOwn) {
    ServerOptions options;
    options.max_body_bytes = 4;
    options.body_limit = [](std::string_view path) { return path == "/big" ? 100U : 4U; };
    LiveServer server(echo, options);
    EXPECT_EQ(status_of(server.talk(post("/small", "12345"))), 413);
    RawSocket socket = server.connect();
    socket.send(post("/big", "12345"));
    EXPECT_EQ(status_of(socket.read_message()), 200);
}

TEST(ServerTest, TheBodiesOfAllRequestsAreBounded) {
    ServerOptions options;
    options.max_total_body_bytes = 150;
    options.free_body_bytes = 0;
    Held held;
    LiveServer server(held.handler(), options);
    RawSocket first = server.connect();
    first.send(post("/a", std::string(100, ' ')));
    held.wait();
    const std::string refused = server.talk(post("/b", std::string(100, ' ')));
    EXPECT_EQ(status_of(refused), 503);
    EXPECT_TRUE(has(refused, "Retry-After: ")) << refused;
    server.loop().run([&] { held.answer({}); });
    EXPECT_EQ(status_of(first.read_message()), 200);
}

// Otherwise a few hundred heads that announce a large body would shut everybody out.
TEST(ServerTest, LargeBodiesThatAreUnderWayKeepNoSmallOneOut) {
    ServerOptions options;
    options.max_total_body_bytes = 150;
    options.free_body_bytes = 50;
    LiveServer server(echo, options);
    RawSocket large = server.connect();
    // The go-ahead says that its room is taken.
    large.send(with_headers("Expect: 100-continue\r\nContent-Length: 200\r\n"));
    EXPECT_EQ(status_of(large.read_message()), 100);
    RawSocket small = server.connect();
    small.send(post("/a", std::string(50, ' ')));
    EXPECT_EQ(status_of(small.read_message()), 200);
    EXPECT_EQ(status_of(server.talk(post("/a", std::string(51, ' ')))), 503);
}

TEST(ServerTest, RoomForBodiesComesBack) {
    ServerOptions options;
    options.max_total_body_bytes = 150;
    options.free_body_bytes = 0;
    LiveServer server(echo, options);
    RawSocket socket = server.connect();
    for (int i = 0; i < 5; ++i) {
        socket.send(post("/a", std::string(100, ' ')));
        ASSERT_EQ(status_of(socket.read_message()), 200);
    }
}

TEST(ServerTest, SaysContinueToWhoWaitsForIt) {
    LiveServer server(echo);
    RawSocket socket = server.connect();
    socket.send(with_headers("Expect: 100-continue\r\nContent-Length: 2\r\n"));
    EXPECT_EQ(socket.read_message(), "HTTP/1.1 100 Continue\r\n\r\n");
    socket.send("{}");
    EXPECT_EQ(body_of(socket.read_message()), "POST /x {}");
}

// Closing at once would answer such bytes with a reset, which may destroy the answer on its way.
TEST(ServerTest, ARefusedClientMayFinishSending) {
    LiveServer server(echo);
    RawSocket socket = server.connect();
    socket.send(with_headers("Content-Length: 99999999\r\n"));
    EXPECT_EQ(status_of(socket.read_message()), 413);
    EXPECT_TRUE(socket.send(std::string(100'000, 'x')));
    socket.end_sending();
    EXPECT_TRUE(socket.ends_cleanly());
}

TEST(ServerTest, ClosesWhenAskedTo) {
    LiveServer server(echo);
    const std::string answer =
        server.talk("GET /a HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n" + get("/b"));
    EXPECT_EQ(status_of(answer), 200);
    EXPECT_TRUE(has(answer, "Connection: close\r\n"));
    EXPECT_FALSE(has(answer, "/b"));
}

TEST(ServerTest, AnOldClientGetsOneAnswer) {
    LiveServer server(echo);
    const std::string answer = server.talk("GET /a HTTP/1.0\r\n" + host + "\r\n" + get("/b"));
    EXPECT_EQ(body_of(answer), "GET /a ");
}

TEST(ServerTest, AClientThatHasSentEverythingIsAnswered) {
    LiveServer server(echo);
    RawSocket socket = server.connect();
    socket.send(get("/a"));
    socket.end_sending();
    EXPECT_EQ(body_of(socket.read_all()), "GET /a ");
}

TEST(ServerTest, OptionsIsRefusedAndTheConnectionStays) {
    Router router;
    router.add("GET", "/a", echo);
    LiveServer server(router);
    RawSocket socket = server.connect();
    socket.send("OPTIONS /a HTTP/1.1\r\n" + host + "\r\n");
    const std::string options = socket.read_message();
    EXPECT_EQ(status_of(options), 405);
    EXPECT_NE(body_of(options), "");
    socket.send(get("/b"));
    EXPECT_EQ(status_of(socket.read_message()), 404);
}

TEST(ServerTest, NoContentHasNoBody) {
    LiveServer server([](const Request&, const Respond& respond) {
        Response response;
        response.status = 204;
        response.body = "not sent";
        respond(response);
    });
    RawSocket socket = server.connect();
    socket.send(get("/a") + get("/b"));
    const std::string first = socket.read_message();
    EXPECT_EQ(status_of(first), 204);
    EXPECT_FALSE(has(first, "Content-Length"));
    EXPECT_EQ(status_of(socket.read_message()), 204);
}

TEST(ServerTest, ALargeAnswerArrivesWhole) {
    const std::string large(5'000'000, 'x');
    LiveServer server([&large](const Request&, const Respond& respond) {
        Response response;
        response.body = large;
        respond(response);
    });
    RawSocket socket = server.connect();
    socket.send(get("/a"));
    EXPECT_EQ(body_of(socket.read_message()), large);
}

TEST(ServerTest, AHandlerThatThrowsIsAnInternalError) {
    LiveServer server([](const Request&, const Respond&) { throw std::runtime_error("secret"); });
    RawSocket socket = server.connect();
    socket.send(get("/a"));
    const std::string answer = socket.read_message();
    EXPECT_EQ(status_of(answer), 500);
    EXPECT_FALSE(has(answer, "secret"));
}

TEST(ServerTest, ReportsEveryAnswer) {
    Router router;
    router.add("GET", "/things/{id}", [](const Request&, const Respond& respond) {
        respond({.status = 201});
    });
    std::vector<std::string> seen;  // on the loop
    ServerOptions options;
    options.answered = [&seen](const Answered& answered) {
        const RouteName* route = answered.route;
        seen.push_back((route == nullptr ? "none" : route->method + " " + route->pattern) + " " +
                       std::to_string(answered.status) + (answered.duration ? " timed" : ""));
    };
    LiveServer server(router, options);
    server.talk(
        "GET /things/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        "GET /things/2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    server.talk("GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    server.talk("GET /things/3 HTTP/1.1\r\n\r\n");
    server.loop().run([&] {
        EXPECT_EQ(seen,
                  (std::vector<std::string>{"GET /things/{id} 201 timed",
                                            "GET /things/{id} 201 timed",
                                            "none 404 timed",
                                            "none 400"}));
    });
}

TEST(ServerTest, KnowsWhereARequestComesFrom) {
    LiveServer server([](const Request& request, const Respond& respond) {
        Response response;
        response.body = request.remote_address;
        respond(response);
    });
    RawSocket socket = server.connect();
    socket.send(get("/a"));
    EXPECT_EQ(body_of(socket.read_message()), "127.0.0.1");
}

TEST(ServerTest, ATakenPortIsAClearError) {
    LiveServer server(echo);
    boost::asio::io_context io;
    ServerOptions options;
    options.port = server.port();
    try {
        Server second(io, options, echo);
        FAIL() << "two servers on one port";
    } catch (const boost::system::system_error& error) {
        const std::string text = error.what();
        EXPECT_TRUE(has(text, "cannot listen on 127.0.0.1:" + std::to_string(server.port())))
            << text;
    }
    options.address = "not-an-address";
    EXPECT_THROW(Server(io, options, echo), boost::system::system_error);
}

// --- answers that come later, twice, or too late ---

TEST(ServerTest, AnAnswerMayComeLater) {
    Held held;
    LiveServer server(held.handler());
    RawSocket socket = server.connect();
    socket.send(post("/a", "{}"));
    const Request request = held.wait();
    EXPECT_FALSE(socket.has_bytes(0ms));
    server.loop().run([&] { held.answer(echo_of(request)); });
    EXPECT_EQ(body_of(socket.read_message()), "POST /a {}");
}

TEST(ServerTest, ASecondAnswerIsIgnored) {
    LiveServer server([](const Request& request, const Respond& respond) {
        respond(echo_of(request));
        Response second;
        second.status = 500;
        respond(second);
    });
    RawSocket socket = server.connect();
    socket.send(get("/a") + get("/b"));
    EXPECT_EQ(body_of(socket.read_message()), "GET /a ");
    EXPECT_EQ(body_of(socket.read_message()), "GET /b ");
}

TEST(ServerTest, ALateSecondAnswerDoesNotAnswerTheNextRequest) {
    std::vector<Respond> responds;
    std::promise<void> second_arrived;
    LiveServer server([&](const Request& request, Respond respond) {
        responds.push_back(std::move(respond));
        if (request.path == "/a") return responds[0](echo_of(request));
        responds[0]({.status = 500, .body = {}, .headers = {}});
        second_arrived.set_value();
    });
    RawSocket socket = server.connect();
    socket.send(get("/a") + get("/b"));
    EXPECT_EQ(body_of(socket.read_message()), "GET /a ");
    second_arrived.get_future().get();
    server.loop().run([&] {
        Response answer;
        answer.body = "mine";
        responds[1](answer);
    });
    EXPECT_EQ(body_of(socket.read_message()), "mine");
}

TEST(ServerTest, AnAnswerToAClientThatIsGoneIsDropped) {
    Held held;
    LiveServer server(held.handler());
    {
        RawSocket socket = server.connect();
        socket.send(get("/a"));
        held.wait();
        socket.reset();
    }
    server.loop().run([&] { held.answer({}); });
    std::promise<void> stopped;
    server.loop().run([&] { server.server().stop(10s, [&] { stopped.set_value(); }); });
    EXPECT_EQ(stopped.get_future().wait_for(test::patience), std::future_status::ready);
}

TEST(ServerTest, AnAnswerAfterTheServerIsGoneIsDropped) {
    Held held;
    LiveServer server(held.handler());
    RawSocket socket = server.connect();
    socket.send(get("/a"));
    held.wait();
    server.destroy_server();
    server.loop().run([&] { held.answer({}); });
    EXPECT_EQ(socket.read_all(), "");
    server.loop().run([&] { held.answer({}); });
}

// --- deadlines ---

ServerOptions short_deadlines() {
    ServerOptions options;
    options.head_timeout = 50ms;
    options.body_timeout = 50ms;
    options.idle_timeout = 60s;
    return options;
}

TEST(ServerDeadlineTest, AnUnfinishedHeadIsAnswered408) {
    LiveServer server(echo, short_deadlines());
    const std::string answer = server.talk("GET /a HTT");
    EXPECT_EQ(status_of(answer), 408);
    EXPECT_TRUE(has(answer, "request-timeout"));
}

TEST(ServerDeadlineTest, AnUnfinishedBodyIsAnswered408) {
    LiveServer server(echo, short_deadlines());
    EXPECT_EQ(status_of(server.talk(with_headers("Content-Length: 10\r\n", "{"))), 408);
    EXPECT_EQ(status_of(server.talk(with_headers(chunked, "5\r\n{"))), 408);
}

// Sends a byte at a time until the server answers; what it answered.
std::string drip(RawSocket socket, const std::string& start) {
    socket.send(start);
    for (int i = 0; i < 2000 && !socket.has_bytes(5ms); ++i) {
        if (!socket.send("a")) break;
    }
    return socket.has_bytes(0ms) ? socket.read_all() : "";
}

// A deadline that began anew with each byte would let these go on.
TEST(ServerDeadlineTest, ASlowDripDoesNotMoveTheDeadline) {
    LiveServer server(echo, short_deadlines());
    EXPECT_EQ(status_of(drip(server.connect(), "GET /a")), 408);
    EXPECT_EQ(status_of(drip(server.connect(), with_headers("Content-Length: 100000\r\n"))), 408);
}

TEST(ServerDeadlineTest, AnIdleConnectionIsClosedWithoutAWord) {
    ServerOptions options;
    options.idle_timeout = 30ms;
    LiveServer server(echo, options);
    EXPECT_EQ(server.talk(""), "");
    RawSocket socket = server.connect();
    socket.send(get("/a"));
    EXPECT_EQ(status_of(socket.read_message()), 200);
    EXPECT_TRUE(socket.is_at_end());
}

TEST(ServerDeadlineTest, AHandlerMayTakeItsTime) {
    ServerOptions options = short_deadlines();
    options.idle_timeout = 20ms;
    Held held;
    LiveServer server(held.handler(), options);
    RawSocket slow = server.connect();
    slow.send(get("/a"));
    held.wait();
    // By the time this one is closed, all deadlines of the other would have passed.
    for (int i = 0; i < 3; ++i) EXPECT_EQ(server.talk(""), "");
    EXPECT_FALSE(slow.has_bytes(0ms));
    server.loop().run([&] { held.answer({}); });
    EXPECT_EQ(status_of(slow.read_message()), 200);
}

TEST(ServerDeadlineTest, AClientThatDoesNotReadIsClosed) {
    ServerOptions options;
    options.write_timeout = 50ms;
    LiveServer server(
        [](const Request&, const Respond& respond) {
            Response response;
            response.body = std::string(50'000'000, 'x');
            respond(response);
        },
        options);
    RawSocket socket = server.connect();
    socket.send(get("/a"));
    // The answer has begun, but nobody reads it.
    ASSERT_TRUE(socket.has_bytes(test::patience));
    while (server.connections() > 0) std::this_thread::yield();
    EXPECT_LT(socket.read_all().size(), 50'000'000U);
}

// --- the cap and the stop ---

// A head whose go-ahead has come back: the server is known to wait for the body.
void begin_body(RawSocket& socket) {
    socket.send(with_headers("Expect: 100-continue\r\nContent-Length: 2\r\n"));
    EXPECT_EQ(status_of(socket.read_message()), 100);
}

TEST(ServerTest, AtTheCapWhoWasAwaitedLongestMakesRoom) {
    ServerOptions options;
    options.max_connections = 2;
    LiveServer server(echo, options);
    RawSocket idle = server.connect();
    idle.send(get("/1"));
    EXPECT_EQ(status_of(idle.read_message()), 200);
    RawSocket halfway = server.connect();
    begin_body(halfway);
    RawSocket third = server.connect();
    third.send(get("/3"));
    EXPECT_EQ(status_of(third.read_message()), 200);
    EXPECT_TRUE(idle.is_at_end());
    RawSocket fourth = server.connect();
    fourth.send(get("/4"));
    EXPECT_EQ(status_of(fourth.read_message()), 200);
    EXPECT_TRUE(halfway.is_at_end());
    third.send(get("/3"));
    EXPECT_EQ(status_of(third.read_message()), 200);
    EXPECT_EQ(server.connections(), 2U);
}

TEST(ServerTest, AtTheCapANewConnectionIsTurnedAwayWhenAllAreAtWork) {
    Held held[2];
    ServerOptions options;
    options.max_connections = 2;
    LiveServer server(
        [first = held[0].handler(), second = held[1].handler()](Request request, Respond respond) {
            (request.path == "/1" ? first : second)(std::move(request), std::move(respond));
        },
        options);
    RawSocket first = server.connect();
    RawSocket second = server.connect();
    first.send(get("/1"));
    second.send(get("/2"));
    for (Held& one : held) one.wait();
    const std::string refused = server.talk(get("/3"));
    EXPECT_EQ(status_of(refused), 503) << refused;
    EXPECT_TRUE(has(refused, "Retry-After: ")) << refused;
    EXPECT_EQ(server.connections(), 2U);
    server.loop().run([&] {
        for (Held& one : held) one.answer({});
    });
    EXPECT_EQ(status_of(first.read_message()), 200);
    EXPECT_EQ(status_of(second.read_message()), 200);
}

// A server with one place, and one request in it that isn't answered yet.
class FullServer {
public:
    explicit FullServer(ServerOptions options = {}) : server_(handler(), one_place(options)) {
        first_.emplace(server_.connect());
        first_->send(get("/held"));
        held_.wait();
    }
    LiveServer& operator*() { return server_; }
    LiveServer* operator->() { return &server_; }

    // The request in the place is answered all the same.
    void expect_first_is_answered() {
        server_.loop().run([this] { held_.answer({}); });
        EXPECT_EQ(status_of(first_->read_message()), 200);
    }

private:
    static ServerOptions one_place(ServerOptions options) {
        options.max_connections = 1;
        return options;
    }
    Handler handler() {
        Router router;
        const Handler say = [](const Request&, const Respond& respond) {
            respond(json_response({{"status", "up"}, {"epoch", 1}}));
        };
        router.add("GET", "/held", held_.handler());
        router.add("GET", "/livez", say);
        router.add("GET", "/readyz", say);
        return router;
    }

    Held held_;
    LiveServer server_;
    std::optional<RawSocket> first_;
};

TEST(ServerTest, AtTheCapProbesAreAnsweredOnceEachInReservedPlaces) {
    FullServer server;
    for (const char* path : {"/livez", "/readyz"}) {
        const std::string answer = server->talk(get(path) + get(path));
        EXPECT_EQ(status_of(answer), 200) << answer;
        EXPECT_TRUE(has(answer, "Connection: close\r\n")) << answer;
        EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos) << "one request each: " << answer;
        EXPECT_EQ(status_of(server->talk("HEAD " + std::string(path) + " HTTP/1.0\r\n\r\n")), 200);
    }
    const std::string strange = server->talk("GET /livez HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    EXPECT_EQ(body_of(strange), R"({"status":"ok"})");
    for (const std::string& other : {get("/held"),
                                     get("/livez/"),
                                     post("/livez", "{}"),
                                     std::string("GET /livez HTTP/1.1\r\n\r\n"),
                                     std::string("x\r\n\r\n")}) {
        const std::string answer = server->talk(other);
        EXPECT_EQ(status_of(answer), 503) << other;
        EXPECT_TRUE(has(answer, "Retry-After: ")) << answer;
    }
    EXPECT_EQ(server->connections(), 1U);
    server.expect_first_is_answered();
}

TEST(ServerTest, AReservedPlaceIsGivenForAShortTimeOnly) {
    ServerOptions options;
    options.reserved_timeout = 30ms;
    FullServer server(options);
    EXPECT_EQ(status_of(server->talk("")), 503);
    EXPECT_EQ(status_of(server->talk("GET /livez HTTP/1.1\r\n")), 503);
    EXPECT_EQ(status_of(drip(server->connect(), "GET /livez")), 503);
    server.expect_first_is_answered();
}

TEST(ServerTest, ASilentCrowdBeyondTheCapKeepsNoProbeOut) {
    ServerOptions options;
    options.reserved_timeout = test::patience;
    FullServer server(options);
    std::vector<RawSocket> crowd;
    for (int i = 0; i < 400; ++i) {
        crowd.push_back(server->connect());
        crowd.back().send(i % 2 == 0 ? "" : "GET /livez HTTP/1.1\r\n");
    }
    EXPECT_EQ(status_of(server->talk(get("/livez"))), 200);
    EXPECT_EQ(server->connections(), 1U);
    server.expect_first_is_answered();
}

TEST(ServerStopTest, ARequestUnderWayIsAnsweredAndIdleConnectionsAreClosed) {
    Held held;
    LiveServer server(
        [&held, hold = held.handler()](const Request& request, const Respond& respond) {
            request.path == "/held" ? hold(request, respond) : echo(request, respond);
        });
    RawSocket idle = server.connect();
    idle.send(get("/a"));
    EXPECT_EQ(status_of(idle.read_message()), 200);
    RawSocket busy = server.connect();
    busy.send(get("/held") + get("/not-any-more"));
    held.wait();
    std::promise<void> stopped;
    auto done = stopped.get_future();
    server.loop().run([&] { server.server().stop(test::patience, [&] { stopped.set_value(); }); });
    EXPECT_TRUE(idle.is_at_end());
    EXPECT_THROW(server.connect(), std::runtime_error);
    EXPECT_EQ(done.wait_for(0s), std::future_status::timeout);
    server.loop().run([&] { held.answer({}); });
    const std::string answer = busy.read_all();
    EXPECT_EQ(status_of(answer), 200);
    EXPECT_TRUE(has(answer, "Connection: close\r\n"));
    EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos) << answer;
    busy.close();
    EXPECT_EQ(done.wait_for(test::patience), std::future_status::ready);
}

TEST(ServerStopTest, WhatDoesNotEndIsClosedAfterTheGrace) {
    Held held;
    LiveServer server(held.handler());
    RawSocket busy = server.connect();
    busy.send(get("/held"));
    held.wait();
    std::promise<void> stopped;
    server.loop().run([&] { server.server().stop(10ms, [&] { stopped.set_value(); }); });
    EXPECT_EQ(stopped.get_future().wait_for(test::patience), std::future_status::ready);
    EXPECT_EQ(busy.read_all(), "");
    EXPECT_EQ(server.connections(), 0U);
}

TEST(ServerStopTest, ALoopWithoutConnectionsEnds) {
    boost::asio::io_context io;
    Server server(io, {}, echo);
    server.start();
    bool stopped = false;
    server.stop(1h, [&stopped] { stopped = true; });
    EXPECT_FALSE(stopped) << "never from within stop()";
    io.run();
    EXPECT_TRUE(stopped);
}

TEST(ServerStopTest, ADestroyedLoopLeaksNothing) {
    auto io = std::make_unique<boost::asio::io_context>();
    auto server =
        std::make_unique<Server>(*io, ServerOptions{}, [](const Request&, const Respond&) {});
    server->start();
    RawSocket socket = RawSocket::to(server->port());
    socket.send(get("/a"));
    while (server->connections() == 0) io->run_one();
    io->poll();
    server.reset();
    io.reset();
    EXPECT_EQ(socket.read_all(), "");
}

}  // namespace
}  // namespace twophase::http
