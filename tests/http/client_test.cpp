#include "http/client.hpp"

#include "live.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace twophase::http {
namespace {

using namespace std::chrono_literals;
using test::LiveServer;
using test::RawSocket;

Endpoint endpoint_of(std::uint16_t port, const std::string& base = "") {
    return *Endpoint::parse("http://127.0.0.1:" + std::to_string(port) + base);
}

std::string ok(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// A peer that follows a script: what it does with one connection after the other.
class Peer {
public:
    using Script = std::function<void(RawSocket&)>;

    explicit Peer(std::vector<Script> scripts)
        : listener_(listen()), thread_([this, scripts] {
              for (const Script& script : scripts) {
                  RawSocket connection(::accept(listener_, nullptr, nullptr));
                  ++accepted;
                  script(connection);
              }
          }) {}
    ~Peer() {
        thread_.join();
        ::close(listener_);
    }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    // Answers the first request with `bytes`, then closes.
    static Script says(std::string bytes) {
        return [bytes = std::move(bytes)](RawSocket& socket) {
            socket.read_message();
            socket.send(bytes);
        };
    }

    std::uint16_t port() const {
        sockaddr_in address{};
        socklen_t size = sizeof(address);
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
        return ntohs(address.sin_port);
    }
    Endpoint endpoint() const { return endpoint_of(port()); }

    std::atomic<int> accepted = 0;

private:
    static int listen() {
        const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
        ::listen(listener, 16);
        return listener;
    }

    int listener_;
    std::thread thread_;
};

// A client on the test's own thread.
class ClientTest : public testing::Test {
protected:
    void use(const Endpoint& peer, ClientOptions options = {}) {
        client_ = std::make_unique<Client>(io_, peer, options);
    }

    Result<Response> ask(Call call, std::chrono::milliseconds timeout = test::patience) {
        std::optional<Result<Response>> answer;
        client_->send(std::move(call), timeout, [&answer](Result<Response> result) {
            answer = std::move(result);
        });
        EXPECT_FALSE(answer) << "never before send() returned";
        run_until([&answer] { return answer.has_value(); });
        return *answer;
    }

    template <class Condition>
    void run_until(Condition condition) {
        io_.restart();
        const auto limit = std::chrono::steady_clock::now() + test::patience;
        while (!condition() && std::chrono::steady_clock::now() < limit) io_.run_one_for(100ms);
        ASSERT_TRUE(condition()) << "nothing came";
    }

    static Call post(std::string body) {
        Call call;
        call.method = "POST";
        call.target = "/x";
        call.body = std::move(body);
        return call;
    }

    static Call get(std::string target) {
        Call call;
        call.target = std::move(target);
        return call;
    }

    boost::asio::io_context io_{1};
    std::unique_ptr<Client> client_;
};

void echo(const Request& request, const Respond& respond) {
    Response response;
    response.body = request.method + " " + request.path + " " + request.body;
    respond(response);
}

TEST_F(ClientTest, AsksAServerAgainOnTheSameConnection) {
    LiveServer server(echo);
    use(endpoint_of(server.port(), "/v1/branches"));
    for (int i = 0; i < 3; ++i) {
        const auto answer = ask(post("{}"));
        ASSERT_TRUE(answer) << answer.error().message();
        EXPECT_EQ(answer->status, 200U);
        EXPECT_EQ(answer->body, "POST /v1/branches/x {}");
        EXPECT_EQ(answer->content_type, "application/json");
        EXPECT_EQ(answer->header("Cache-Control"), "no-store");
    }
    EXPECT_EQ(server.connections(), 1U);
}

TEST_F(ClientTest, SendsWhatItIsToldAndNoHeaderOfAnothersMaking) {
    std::string request;
    Peer peer({[&request](RawSocket& socket) {
        request = socket.read_message();
        socket.send(ok(""));
    }});
    use(peer.endpoint());
    Call call = post("{}");
    call.headers = {{"Authorization", "Bearer t\r\nX-Admin: 1"}, {"Content-Length", "0"}};
    ASSERT_TRUE(ask(call));
    EXPECT_EQ(request,
              "POST /x HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(peer.port()) +
                  "\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                  "Authorization: Bearer t  X-Admin: 1\r\n\r\n{}");
}

TEST_F(ClientTest, ATargetThatIsNoneIsNotSent) {
    use(endpoint_of(1));
    for (const char* target : {"", "x", "/a b", "/a\r\nX: 1", "/a#b"}) {
        EXPECT_EQ(ask(get(target)).error(), Errc::malformed) << target;
    }
}

// --- answers, byte for byte ---

struct Answer {
    const char* name;
    std::string bytes;
    std::optional<Errc> error;
    std::string body;

    friend void PrintTo(const Answer& one, std::ostream* out) { *out << one.name; }
};

class ClientAnswer : public ClientTest, public testing::WithParamInterface<Answer> {};

TEST_P(ClientAnswer, IsReadStrictly) {
    Peer peer({Peer::says(GetParam().bytes)});
    ClientOptions options;
    options.max_response_bytes = 100;
    use(peer.endpoint(), options);
    const auto answer = ask(post("{}"));
    if (GetParam().error) {
        ASSERT_FALSE(answer) << answer->body;
        EXPECT_EQ(answer.error(), *GetParam().error) << answer.error().message();
    } else {
        ASSERT_TRUE(answer) << answer.error().message();
        EXPECT_EQ(answer->body, GetParam().body);
    }
}

const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

Answer whole(const char* name, std::string bytes, std::string body) {
    return {name, std::move(bytes), std::nullopt, std::move(body)};
}

// No answer, and the rule that it broke.
Answer broken(const char* name, std::string bytes, Errc rule) {
    return {name, std::move(bytes), rule, ""};
}

std::string lines(int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += "X: 1\r\n";
    return all + "\r\n";
}

INSTANTIATE_TEST_SUITE_P(
    Answers,
    ClientAnswer,
    testing::Values(
        whole("length", ok("{}"), "{}"),
        whole("empty", ok(""), ""),
        whole("chunked", chunked + "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", "{}"),
        whole("no_content", "HTTP/1.1 204 No Content\r\n\r\n", ""),
        whole("after_continue", "HTTP/1.1 100 Continue\r\n\r\n" + ok("{}"), "{}"),
        whole("after_two_interim",
              "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok("{}"),
              "{}"),
        whole("with_bytes_behind", ok("{}") + ok("forged"), "{}"),
        whole("largest", ok(std::string(100, 'x')), std::string(100, 'x')),
        Answer{"nothing", "", Errc::cut, ""},
        Answer{"half_a_head", "HTTP/1.1 200 OK\r\nContent-Le", Errc::cut, ""},
        Answer{"half_a_body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}", Errc::cut, ""},
        Answer{"half_a_chunk", chunked + "5\r\n{}", Errc::cut, ""},
        Answer{"no_last_chunk", chunked + "2\r\n{}\r\n", Errc::cut, ""},
        Answer{"no_end_of_last_chunk", chunked + "2\r\n{}\r\n0\r\n", Errc::cut, ""},
        whole("until_close", "HTTP/1.1 200 OK\r\n\r\n{\"a\":[1]}", "{\"a\":[1]}"),
        whole("old_until_close", "HTTP/1.0 200 OK\r\n\r\n [{}]\r\n", " [{}]\r\n"),
        whole("until_close_after_interim",
              "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 503 No\r\n\r\n{}",
              "{}"),
        whole("until_close_largest",
              "HTTP/1.1 200 OK\r\n\r\n{}" + std::string(98, ' '),
              "{}" + std::string(98, ' ')),
        broken("until_close_empty", "HTTP/1.1 200 OK\r\n\r\n", Errc::not_whole_json),
        broken("until_close_half", "HTTP/1.1 200 OK\r\n\r\n{\"a\":{}", Errc::not_whole_json),
        broken("until_close_number", "HTTP/1.1 200 OK\r\n\r\n12", Errc::not_whole_json),
        broken("until_close_text", "HTTP/1.1 200 OK\r\n\r\n\"a\"", Errc::not_whole_json),
        broken("until_close_two", "HTTP/1.1 200 OK\r\n\r\n{}{}", Errc::not_whole_json),
        broken("until_close_too_large",
               "HTTP/1.1 200 OK\r\n\r\n{}" + std::string(99, ' '),
               Errc::too_large),
        broken("too_large", ok(std::string(101, 'x')), Errc::too_large),
        broken("too_large_chunked",
               chunked + "65\r\n" + std::string(101, 'x') + "\r\n0\r\n\r\n",
               Errc::too_large),
        broken("head_too_large",
               "HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n",
               Errc::head_too_long),
        broken("too_many_headers", "HTTP/1.1 200 OK\r\n" + lines(129), Errc::too_many_headers),
        broken("other_protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", Errc::no_status_line),
        broken("bare_line_feeds", "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", Errc::bad_head_bytes),
        broken("folded",
               "HTTP/1.1 200 OK\r\nA: 1\r\n 2\r\nContent-Length: 2\r\n\r\n{}",
               Errc::folded_header),
        broken("no_header_name", "HTTP/1.1 200 OK\r\nA : 1\r\n\r\n{}", Errc::bad_header_name),
        broken("no_utf8", "HTTP/1.1 200 OK\r\nA: \xff\r\n\r\n{}", Errc::bad_header_value),
        broken("two_lengths",
               "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
               Errc::header_twice),
        broken("equal_lengths",
               "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
               Errc::header_twice),
        broken("no_plain_length",
               "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}",
               Errc::bad_length),
        broken("length_and_chunked",
               "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
               Errc::length_and_chunked),
        broken("other_coding",
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n{}",
               Errc::other_coding),
        broken("old_chunked",
               "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
               Errc::chunked_in_http10),
        broken("bad_chunk", chunked + "z\r\n{}\r\n0\r\n\r\n", Errc::bad_chunks),
        whole("trailer", chunked + "2\r\n{}\r\n0\r\nX: 1\r\nY: 2\r\n\r\n", "{}"),
        whole("longest_trailer",
              chunked + "2\r\n{}\r\n0\r\nX: " + std::string(4091, 'x') + "\r\n\r\n",
              "{}"),
        broken("trailer_too_long",
               chunked + "2\r\n{}\r\n0\r\nX: " + std::string(4092, 'x') + "\r\n\r\n",
               Errc::trailers_too_long),
        broken("half_a_trailer", chunked + "2\r\n{}\r\n0\r\nX: 1\r\n", Errc::cut),
        broken("switching", "HTTP/1.1 101 Switching Protocols\r\n\r\n", Errc::switches_protocols),
        broken(
            "endless_interim",
            [] {
                std::string bytes;
                for (int i = 0; i < 20; ++i) bytes += "HTTP/1.1 100 Continue\r\n\r\n";
                return bytes + ok("{}");
            }(),
            Errc::too_many_interim)),
    [](const auto& test) { return std::string(test.param.name); });

TEST_F(ClientTest, AnAnswerThatEndsWithAResetIsNone) {
    Peer peer({[](RawSocket& socket) {
        socket.read_message();
        socket.send("HTTP/1.0 200 OK\r\n\r\n{}");
        socket.reset();
    }});
    use(peer.endpoint());
    const auto answer = ask(post("{}"));
    ASSERT_FALSE(answer) << answer->body;
    EXPECT_EQ(answer.error(), Errc::cut);
}

TEST_F(ClientTest,
       AnAnswerThatEndsWithTheConnectionKeepsTheDeadlineAndItsConnectionIsNotUsedAgain) {
    Peer peer({[](RawSocket& socket) {
                   socket.read_message();
                   socket.send("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n{}");
                   EXPECT_TRUE(socket.is_at_end()) << "the client closes it";
               },
               Peer::says("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n{}"),
               Peer::says(ok("2"))});
    use(peer.endpoint());
    EXPECT_EQ(ask(post("{}"), 50ms).error(), Errc::timed_out);
    EXPECT_EQ(ask(post("{}"))->body, "{}");
    EXPECT_EQ(ask(post("{}"))->body, "2");
    EXPECT_EQ(peer.accepted, 3);
}

TEST_F(ClientTest, WhoAsksForTheStatusAloneWaitsForNoEnd) {
    Peer peer({[](RawSocket& socket) {
                   socket.read_message();
                   socket.send("HTTP/1.0 204 Taken\r\n\r\nHTTP/1.0 200 OK\r\n\r\n");
                   socket.read_all();
               },
               [](RawSocket& socket) {
                   socket.read_message();
                   socket.send("HTTP/1.0 200 OK\r\n\r\nthanks");
                   socket.read_all();
               }});
    use(peer.endpoint());
    Call call = post("{}");
    call.needs_body = false;
    EXPECT_EQ(ask(call)->status, 204U);
    EXPECT_EQ(ask(call)->status, 200U);
}

// --- the pool ---

TEST_F(ClientTest, AStaleConnectionIsFoundBeforeUse) {
    std::promise<void> closed;
    Peer peer({[&closed](RawSocket& socket) {
                   socket.read_message();
                   socket.send(ok("1"));
                   socket.close();
                   closed.set_value();
               },
               Peer::says(ok("2"))});
    use(peer.endpoint());
    EXPECT_EQ(ask(get("/1"))->body, "1");
    closed.get_future().wait();
    const auto answer = ask(get("/2"));
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->body, "2");
}

TEST_F(ClientTest, UnaskedBytesOnAnIdleConnectionEndIt) {
    std::promise<void> asked;
    std::promise<void> sent;
    Peer peer({[&](RawSocket& socket) {
                   socket.read_message();
                   socket.send(ok("1"));
                   asked.get_future().wait();
                   socket.send(ok("forged"));
                   sent.set_value();
                   socket.read_all();
               },
               Peer::says(ok("2"))});
    use(peer.endpoint());
    EXPECT_EQ(ask(get("/1"))->body, "1");
    asked.set_value();
    sent.get_future().wait();
    EXPECT_EQ(ask(get("/2"))->body, "2");
}

TEST_F(ClientTest, AConnectionToBeClosedIsNotUsedAgain) {
    Peer peer({[](RawSocket& socket) {
                   socket.read_message();
                   socket.send(
                       "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1");
                   EXPECT_TRUE(socket.is_at_end()) << "the client closes it";
               },
               Peer::says(ok("2"))});
    use(peer.endpoint());
    EXPECT_EQ(ask(get("/1"))->body, "1");
    EXPECT_EQ(ask(get("/2"))->body, "2");
}

TEST_F(ClientTest, AnIdleConnectionIsClosedAfterAWhile) {
    std::promise<void> ended;
    Peer peer({[&ended](RawSocket& socket) {
        socket.read_message();
        socket.send(ok("1"));
        EXPECT_TRUE(socket.is_at_end());
        ended.set_value();
    }});
    ClientOptions options;
    options.idle_timeout = 20ms;
    use(peer.endpoint(), options);
    EXPECT_EQ(ask(get("/1"))->body, "1");
    auto end = ended.get_future();
    run_until([&end] { return end.wait_for(0s) == std::future_status::ready; });
}

TEST_F(ClientTest, CallsBeyondThePoolWaitInOrder) {
    // One connection answers all, so the order of arrival is the order of sending.
    std::vector<std::string> arrived;
    Peer peer({[&arrived](RawSocket& socket) {
        for (int i = 0; i < 5; ++i) {
            const std::string request = socket.read_message();
            arrived.push_back(request.substr(0, request.find(" HTTP")));
            socket.send(ok(""));
        }
    }});
    ClientOptions options;
    options.max_connections = 1;
    use(peer.endpoint(), options);
    std::vector<int> answered;
    for (int i = 0; i < 5; ++i) {
        client_->send(
            get("/" + std::to_string(i)), test::patience, [&answered, i](const auto& result) {
                EXPECT_TRUE(result);
                answered.push_back(i);
            });
    }
    run_until([&answered] { return answered.size() == 5; });
    EXPECT_EQ(arrived,
              (std::vector<std::string>{"GET /0", "GET /1", "GET /2", "GET /3", "GET /4"}));
    EXPECT_EQ(answered, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST_F(ClientTest, ConnectionsRunAtOnceUpToTheLimit) {
    std::vector<Respond> held;
    std::promise<void> three;
    LiveServer server([&](const Request&, Respond respond) {
        held.push_back(std::move(respond));
        if (held.size() == 3) three.set_value();
    });
    ClientOptions options;
    options.max_connections = 3;
    use(endpoint_of(server.port()), options);
    int answered = 0;
    for (int i = 0; i < 4; ++i) {
        client_->send(get("/"), test::patience, [&answered](const auto&) { ++answered; });
    }
    auto arrived = three.get_future();
    run_until([&arrived] { return arrived.wait_for(0s) == std::future_status::ready; });
    EXPECT_EQ(server.connections(), 3U);
    server.loop().run([&held] {
        for (const Respond& respond : std::exchange(held, {})) respond({});
    });
    run_until([&answered] { return answered == 3; });
    std::size_t waiting = 0;
    run_until([&] {
        waiting = server.loop().run([&held] { return held.size(); });
        return waiting == 1;
    });
    server.loop().run([&held] { held.front()({}); });
    run_until([&answered] { return answered == 4; });
}

TEST_F(ClientTest, AWaitingCallThatTimesOutIsNeverSent) {
    std::vector<std::string> arrived;
    std::promise<void> go_on;
    Peer peer({[&](RawSocket& socket) {
        for (int i = 0; i < 2; ++i) {
            const std::string request = socket.read_message();
            arrived.push_back(request.substr(0, request.find(" HTTP")));
            if (i == 0) go_on.get_future().wait();
            socket.send(ok(""));
        }
    }});
    ClientOptions options;
    options.max_connections = 1;
    use(peer.endpoint(), options);
    int answered = 0;
    std::optional<Result<Response>> late;
    client_->send(get("/first"), test::patience, [&](const auto&) { ++answered; });
    client_->send(get("/late"), 20ms, [&](Result<Response> result) { late = std::move(result); });
    client_->send(get("/last"), test::patience, [&](const auto&) { ++answered; });
    run_until([&late] { return late.has_value(); });
    EXPECT_EQ(late->error(), Errc::timed_out);
    go_on.set_value();
    run_until([&answered] { return answered == 2; });
    EXPECT_EQ(arrived, (std::vector<std::string>{"GET /first", "GET /last"}));
}

// --- deadlines, refusals, closing ---

TEST_F(ClientTest, ACallHasOneDeadline) {
    Peer peer({[](RawSocket& socket) {
                   socket.read_message();
                   EXPECT_TRUE(socket.is_at_end());
               },
               // A drip doesn't move it.
               [](RawSocket& socket) {
                   socket.read_message();
                   socket.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
                   for (int i = 0; i < 2000 && !socket.has_bytes(5ms); ++i) socket.send("x");
               }});
    use(peer.endpoint());
    EXPECT_EQ(ask(get("/1"), 50ms).error(), Errc::timed_out);
    EXPECT_EQ(ask(get("/2"), 50ms).error(), Errc::timed_out);
}

TEST_F(ClientTest, NobodyThereIsUnreachable) {
    std::uint16_t port = 0;
    { port = LiveServer(echo).port(); }
    use(endpoint_of(port));
    EXPECT_EQ(ask(get("/")).error(), Errc::unreachable);
    EXPECT_EQ(ask(get("/")).error(), Errc::unreachable);
}

TEST_F(ClientTest, ANameIsResolved) {
    LiveServer server(echo);
    use(*Endpoint::parse("http://localhost:" + std::to_string(server.port())));
    const auto answer = ask(get("/x"));
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->body, "GET /x ");
    use(*Endpoint::parse("http://no-such-host.invalid:1"));
    EXPECT_FALSE(ask(get("/")));
}

TEST_F(ClientTest, AResetIsCut) {
    Peer peer({[](RawSocket& socket) {
        socket.read_message();
        socket.reset();
    }});
    use(peer.endpoint());
    EXPECT_EQ(ask(post("{}")).error(), Errc::cut);
}

TEST_F(ClientTest, AnEarlyRefusalOfALargeBodyIsHeard) {
    ServerOptions options;
    options.max_body_bytes = 1000;
    LiveServer server(echo, options);
    use(endpoint_of(server.port()));
    const auto answer = ask(post(std::string(500'000, 'x')));
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->status, 413U);
}

TEST_F(ClientTest, FollowsAPeerThatComesBackElsewhere) {
    std::string pattern = (std::filesystem::temp_directory_path() / "client.XXXXXX").string();
    const std::filesystem::path directory = ::mkdtemp(pattern.data());
    const auto file = directory / "peer.address";
    use(*Endpoint::parse("file:" + file.string() + "#/base"));
    EXPECT_EQ(ask(get("/x")).error(), Errc::unreachable);
    {
        LiveServer first(echo);
        write_address_file(file, "127.0.0.1", first.port());
        EXPECT_EQ(ask(get("/1"))->body, "GET /base/1 ");
    }
    LiveServer second(echo);
    write_address_file(file, "127.0.0.1", second.port());
    EXPECT_EQ(ask(get("/2"))->body, "GET /base/2 ");
    std::filesystem::remove_all(directory);
}

TEST_F(ClientTest, OldConnectionsAreDroppedWhenTheAddressChanges) {
    std::string pattern = (std::filesystem::temp_directory_path() / "client.XXXXXX").string();
    const std::filesystem::path directory = ::mkdtemp(pattern.data());
    const auto file = directory / "peer.address";
    LiveServer first(echo);
    LiveServer second([](const Request&, const Respond& respond) {
        Response response;
        response.body = "second";
        respond(response);
    });
    write_address_file(file, "127.0.0.1", first.port());
    use(*Endpoint::parse("file:" + file.string()));
    int answered = 0;
    // Two connections, both idle afterwards.
    for (int i = 0; i < 2; ++i) {
        client_->send(get("/"), test::patience, [&answered](const auto&) { ++answered; });
    }
    run_until([&answered] { return answered == 2; });
    write_address_file(file, "127.0.0.1", second.port());
    // The third of three at once needs a new connection, which finds the new address.
    std::vector<std::string> bodies;
    for (int i = 0; i < 3; ++i) {
        client_->send(get("/"), test::patience, [&bodies](const Result<Response>& result) {
            bodies.push_back(result ? result->body : result.error().message());
        });
    }
    run_until([&bodies] { return bodies.size() == 3; });
    run_until([&first] { return first.connections() == 0; });
    EXPECT_EQ(ask(get("/"))->body, "second");
    std::filesystem::remove_all(directory);
}

TEST_F(ClientTest, IdleConnectionsToTheOldAddressAreClosed) {
    std::string pattern = (std::filesystem::temp_directory_path() / "client.XXXXXX").string();
    const std::filesystem::path directory = ::mkdtemp(pattern.data());
    const auto file = directory / "peer.address";
    std::optional<RawSocket> kept;
    std::promise<void> closed;
    Peer first({[&kept](RawSocket& socket) {
                    socket.read_message();
                    socket.send(ok("kept"));
                    kept.emplace(std::move(socket));
                },
                [&closed](RawSocket& socket) {
                    socket.read_message();
                    socket.send(ok("closed"));
                    socket.close();
                    closed.set_value();
                }});
    write_address_file(file, "127.0.0.1", first.port());
    use(*Endpoint::parse("file:" + file.string()));
    int answered = 0;
    for (int i = 0; i < 2; ++i) {
        client_->send(get("/"), test::patience, [&answered](const auto&) { ++answered; });
    }
    run_until([&answered] { return answered == 2; });
    closed.get_future().wait();
    LiveServer second(echo);
    write_address_file(file, "127.0.0.1", second.port());
    // The one that the peer closed is taken first, so a new one is needed.
    EXPECT_EQ(ask(get("/2"))->body, "GET /2 ");
    EXPECT_TRUE(kept->is_at_end());
    std::filesystem::remove_all(directory);
}

TEST_F(ClientTest, ClosingEndsWhatRunsAndWhatWaits) {
    Peer peer({[](RawSocket& socket) {
        socket.read_message();
        EXPECT_TRUE(socket.is_at_end());
    }});
    ClientOptions options;
    options.max_connections = 1;
    use(peer.endpoint(), options);
    std::vector<boost::system::error_code> errors;
    for (int i = 0; i < 2; ++i) {
        client_->send(get("/"), test::patience, [&errors](const auto& result) {
            errors.push_back(result.error());
        });
    }
    run_until([&peer] { return peer.accepted == 1; });
    client_->close();
    EXPECT_TRUE(errors.empty());
    run_until([&errors] { return errors.size() == 2; });
    EXPECT_EQ(errors[0], Errc::closing);
    EXPECT_EQ(errors[1], Errc::closing);
    EXPECT_EQ(ask(get("/")).error(), Errc::closing);
}

TEST_F(ClientTest, MayBeDestroyedByItsOwnAnswer) {
    LiveServer server(echo);
    use(endpoint_of(server.port()));
    bool answered = false;
    client_->send(get("/"), test::patience, [&](const Result<Response>& result) {
        EXPECT_TRUE(result);
        client_.reset();
        answered = true;
    });
    run_until([&answered] { return answered; });
    io_.restart();
    io_.run();  // nothing keeps the loop
}

TEST_F(ClientTest, MayBeDestroyedWithItsLoopWhileACallRuns) {
    std::vector<Respond> held;
    LiveServer server(
        [&held](const Request&, Respond respond) { held.push_back(std::move(respond)); });
    auto io = std::make_unique<boost::asio::io_context>();
    auto client = std::make_unique<Client>(*io, endpoint_of(server.port()));
    client->send(get("/"), test::patience, [](const auto&) { FAIL() << "the loop is gone"; });
    while (server.loop().run([&held] { return held.empty(); })) io->poll();
    client.reset();
    io.reset();
}

TEST(CallOnceTest, AnswersOrSaysWhyNot) {
    LiveServer server(echo);
    Call call;
    call.target = "/x";
    const auto answer = call_once(endpoint_of(server.port()), call, test::patience);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, "GET /x ");
    const auto nobody = Endpoint::parse("file:/no/such/file");
    EXPECT_EQ(call_once(*nobody, call, test::patience).error(), Errc::unreachable);
}

}  // namespace
}  // namespace twophase::http
