// What clients, proxies and probes other than ours may ask, and how they write it.
#include "http/json.hpp"
#include "http/problem.hpp"
#include "http/router.hpp"
#include "live.hpp"
#include "requests.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>

namespace twophase::http {
namespace {

using namespace test;

// A server with a route of each kind.
class CallersTest : public testing::Test {
protected:
    static Router routes(std::atomic<int>& built) {
        Router router;
        router.add("GET", "/livez", [](const Request&, const Respond& respond) {
            respond(json_response({{"status", "up"}, {"epoch", 7}}));
        });
        router.add("GET", "/readyz", [](const Request&, const Respond& respond) {
            Response closed = problem(503, "closed", "a secret");
            closed.headers.push_back({"Retry-After", "5"});
            respond(closed);
        });
        router.add("GET", "/v1/things/{id}", [](const Request& request, const Respond& respond) {
            if (request.parameter("id") != "1") return respond(problem(404, "no-thing", "none"));
            respond(json_response({{"method", request.method}}));
        });
        router.add("POST", "/v1/things", echo);
        router.add_list("/v1/export", [&built](const Request&, const Respond& respond) {
            ++built;
            respond(json_response(Json::array()));
        });
        return router;
    }

    // One answer to one request on a connection that ends with it.
    std::string ask(const std::string& line, const std::string& headers = host) {
        return server_.talk(line + "\r\n" + headers + "Connection: close\r\n\r\n");
    }

    std::atomic<int> built_ = 0;
    LiveServer server_{routes(built_)};
};

TEST_F(CallersTest, HeadIsWhereGetIsWithTheSameHeadAndNoBody) {
    std::string got = ask("GET /v1/things/1 HTTP/1.1");
    const std::string told = ask("HEAD /v1/things/1 HTTP/1.1");
    EXPECT_EQ(status_of(told), 200);
    EXPECT_EQ(body_of(told), "");
    EXPECT_TRUE(has(told, "Content-Length: " + std::to_string(body_of(got).size()) + "\r\n"));
    EXPECT_TRUE(has(told, "Content-Type: application/json\r\n"));
    EXPECT_EQ(status_of(ask("HEAD /v1/things/2 HTTP/1.1")), 404);
    EXPECT_EQ(status_of(ask("HEAD /readyz HTTP/1.1")), 503);
    EXPECT_EQ(body_of(ask("HEAD /readyz HTTP/1.1")), "");
}

TEST_F(CallersTest, HeadOfAnExportIsAnsweredWithoutMakingIt) {
    const std::string told = ask("HEAD /v1/export?limit=1000000 HTTP/1.1");
    EXPECT_EQ(status_of(told), 200);
    EXPECT_EQ(body_of(told), "");
    EXPECT_FALSE(has(told, "Content-Length")) << "nobody knows it: " << told;
    EXPECT_EQ(built_, 0);
    EXPECT_EQ(status_of(ask("GET /v1/export HTTP/1.1")), 200);
    EXPECT_EQ(built_, 1);
}

TEST_F(CallersTest, AConnectionGoesOnAfterHead) {
    RawSocket socket = server_.connect();
    socket.send("HEAD /v1/export HTTP/1.1\r\n" + host + "\r\nHEAD /livez HTTP/1.1\r\n" + host +
                "\r\nGET /v1/things/1 HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n");
    const std::string all = socket.read_all();
    EXPECT_EQ(status_of(all), 200);
    EXPECT_EQ(body_of(all).find("HTTP/1.1 200"), 0U) << "no body between two heads: " << all;
    EXPECT_TRUE(all.ends_with(R"({"method":"GET"})")) << all;
}

TEST_F(CallersTest, HeadWithoutAGetIsRefusedAndARefusedHeadHasNoBody) {
    const std::string post_only = ask("HEAD /v1/things HTTP/1.1");
    EXPECT_EQ(status_of(post_only), 405);
    EXPECT_EQ(body_of(post_only), "");
    EXPECT_TRUE(has(ask("DELETE /livez HTTP/1.1"), "Allow: GET, HEAD\r\n"));
    for (const char* headers : {"Host: a b\r\n", "Host: evil.example\r\n", "X : 1\r\n", ""})
        EXPECT_EQ(body_of(ask("HEAD /v1/things/1 HTTP/1.1", headers)), "") << headers;
}

TEST_F(CallersTest, EveryAnswerHasADate) {
    for (const char* line :
         {"GET /livez HTTP/1.1", "HEAD /livez HTTP/1.1", "GET /no HTTP/1.1", "x"})
        EXPECT_TRUE(has(ask(line), "\r\nDate: ")) << line;
}

TEST_F(CallersTest, Http10NeedsNoHostUnlessAPageAsks) {
    EXPECT_EQ(status_of(ask("GET /v1/things/1 HTTP/1.0", "")), 200);
    EXPECT_EQ(status_of(ask("HEAD /livez HTTP/1.0", "")), 200);
    EXPECT_EQ(status_of(ask("GET /v1/things/1 HTTP/1.0", "Origin: http://localhost\r\n")), 400);
    EXPECT_EQ(status_of(ask("GET /v1/things/1 HTTP/1.0", "Host: evil.example\r\n")), 421);
    EXPECT_EQ(status_of(ask("GET /v1/things/1 HTTP/1.0", "Host:\r\n")), 400);
    EXPECT_EQ(status_of(ask("GET /v1/things/1 HTTP/1.1", "")), 400);
}

TEST_F(CallersTest, AnAbsoluteTargetIsTakenWhereItAndHostAreOursAndAgree) {
    for (const char* ours : {"GET http://localhost/v1/things/1 HTTP/1.1",
                             "GET HTTP://LocalHost:80/v1/things/1 HTTP/1.1",
                             "GET http://localhost/v1/things/1?a=b HTTP/1.1"})
        EXPECT_EQ(status_of(ask(ours)), 200) << ours;
    EXPECT_EQ(status_of(ask("GET http://localhost:7/livez HTTP/1.1", "Host: localhost:7\r\n")),
              200);
    EXPECT_EQ(status_of(ask("GET http://localhost/livez HTTP/1.0", "")), 200);
    EXPECT_EQ(status_of(ask("GET http://localhost:/livez HTTP/1.1")), 200) << "a port may be empty";
    EXPECT_EQ(status_of(ask("GET /v1/things/1 HTTP/1.1", "Host: localhost:\r\n")), 200);
    for (const char* no_path :
         {"GET http://localhost HTTP/1.1", "GET http://localhost?a=b HTTP/1.1"})
        EXPECT_EQ(status_of(ask(no_path)), 404) << no_path << ": the path is \"/\"";
    for (const char* other : {"GET https://localhost/livez HTTP/1.1",
                              "GET http://a@localhost/livez HTTP/1.1",
                              "GET http://a:b@localhost/livez HTTP/1.1",
                              "GET http:///livez HTTP/1.1",
                              "GET http:/livez HTTP/1.1",
                              "GET http://localhost:x/livez HTTP/1.1",
                              "GET http://localhost/../livez HTTP/1.1",
                              "GET http://localhost//evil.example@/%2e%2e HTTP/1.1",
                              "GET ftp://localhost/livez HTTP/1.1"})
        EXPECT_EQ(status_of(ask(other)), 400) << other;
}

TEST_F(CallersTest, ATargetAndAHostThatDifferAreRefused) {
    EXPECT_EQ(status_of(ask("GET http://localhost/livez HTTP/1.1", "Host: evil.example\r\n")), 400);
    EXPECT_EQ(status_of(ask("GET http://evil.example/livez HTTP/1.1")), 400);
    EXPECT_EQ(status_of(ask("GET http://localhost:7/livez HTTP/1.1")), 400);
    for (const char* both :
         {"GET http://evil.example/v1/things/1 HTTP/1.1", "GET http://evil.example/livez HTTP/1.1"})
        EXPECT_EQ(status_of(ask(both, "Host: evil.example\r\n")), 421) << both;
    EXPECT_EQ(status_of(ask("GET http://evil.example/v1/things/1 HTTP/1.0", "")), 421);
}

// A balancer probes with the public name, a kubelet with the pod's address.
TEST_F(CallersTest, ProbesAreAnsweredUnderAnyHostWithTheStatusAndOneWord) {
    for (const char* name : {"Host: shop.example\r\n", "Host: 10.1.2.3:7070\r\n"}) {
        const std::string live = ask("GET /livez HTTP/1.1", name);
        EXPECT_EQ(status_of(live), 200) << name;
        EXPECT_EQ(body_of(live), R"({"status":"ok"})") << name;
        const std::string ready = ask("GET /readyz HTTP/1.1", name);
        EXPECT_EQ(status_of(ready), 503) << name;
        EXPECT_EQ(body_of(ready), R"({"status":"unavailable"})") << name;
        EXPECT_TRUE(has(ready, "Retry-After: 5\r\n")) << ready;
        EXPECT_EQ(status_of(ask("HEAD /livez HTTP/1.1", name)), 200) << name;
        EXPECT_EQ(status_of(ask("GET /v1/things/1 HTTP/1.1", name)), 421) << name;
        EXPECT_EQ(status_of(ask("GET /livez/ HTTP/1.1", name)), 421) << name;
        EXPECT_EQ(status_of(ask("POST /livez HTTP/1.1", name)), 421) << name;
    }
    EXPECT_TRUE(has(ask("GET /livez HTTP/1.1"), R"("epoch":7)")) << "who names us hears it all";
    EXPECT_EQ(status_of(ask("GET /livez HTTP/1.1", "Host: a/b\r\n")), 400);
}

}  // namespace
}  // namespace twophase::http
