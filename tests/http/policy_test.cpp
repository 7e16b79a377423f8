#include "http/policy.hpp"

#include <gtest/gtest.h>

#include <string>

namespace twophase::http {
namespace {

// 0: let in.
unsigned refused(const std::string& headers, const ServerOptions& options = {}) {
    const auto head = parse_request_head("POST /x HTTP/1.1\r\n" + headers + "\r\n");
    EXPECT_TRUE(head) << headers;
    if (!head) return 1;
    const auto refusal = refuse(*head, options);
    return refusal ? refusal->status : 0;
}

TEST(PolicyTest, AnswersForLoopbackNamesOnly) {
    for (const char* ours : {"localhost", "LOCALHOST:1", "127.0.0.1:7070", "[::1]:7070", "[::1]"}) {
        EXPECT_EQ(refused(std::string("Host: ") + ours + "\r\n"), 0U) << ours;
    }
    for (const char* other : {"evil.example", "localhost.evil.example", "127.0.0.2", "10.0.0.1"}) {
        EXPECT_EQ(refused(std::string("Host: ") + other + "\r\n"), 421U) << other;
    }
}

TEST(PolicyTest, AnswersForItsAddressAndConfiguredHosts) {
    const ServerOptions options{.address = "10.0.0.1",
                                .allowed_hosts = {"Api.Example", "[fd00::1]"}};
    EXPECT_EQ(refused("Host: 10.0.0.1:80\r\n", options), 0U);
    EXPECT_EQ(refused("Host: api.example\r\n", options), 0U);
    EXPECT_EQ(refused("Host: [fd00::1]:80\r\n", options), 0U);
    EXPECT_EQ(refused("Host: example\r\n", options), 421U);
}

// A page can't have an address for its name, so that this opens no door to DNS rebinding.
TEST(PolicyTest, AnswersForTheAddressThatTheConnectionCameInAt) {
    const auto is_let_in = [](const std::string& name, const std::string& local) {
        auto head = parse_request_head("GET /x HTTP/1.1\r\nHost: " + name + "\r\n\r\n");
        EXPECT_TRUE(head) << name;
        if (!head) return false;
        head->local_address = local;
        return !refuse(*head, {.address = "0.0.0.0"});
    };
    EXPECT_TRUE(is_let_in("10.0.0.1:7070", "10.0.0.1"));
    EXPECT_TRUE(is_let_in("10.0.0.1", "::ffff:10.0.0.1")) << "as a socket for both tells it";
    EXPECT_TRUE(is_let_in("[fd00::1]:7070", "fd00::1"));
    EXPECT_TRUE(is_let_in("[fd00:0:0:0:0:0:0:1]", "fd00::1"));
    EXPECT_FALSE(is_let_in("10.0.0.2", "10.0.0.1"));
    EXPECT_FALSE(is_let_in("10.1", "10.0.0.1"));
    EXPECT_FALSE(is_let_in("10.0.0.1.evil.example", "10.0.0.1"));
    EXPECT_FALSE(is_let_in("evil.example", "evil.example"));
    EXPECT_FALSE(is_let_in("evil.example", ""));
}

TEST(PolicyTest, AForeignOriginIsRefused) {
    const std::string host = "Host: localhost:7070\r\n";
    EXPECT_EQ(refused(host + "Origin: http://localhost:7070\r\n"), 0U);
    EXPECT_EQ(refused("Host: localhost\r\nOrigin: http://localhost:80\r\n"), 0U);
    for (const char* foreign : {"http://evil.example",
                                "null",
                                "http://localhost:7071",
                                "http://localhost",
                                "localhost:7070",
                                "http://localhost:7070.evil"}) {
        EXPECT_EQ(refused(host + "Origin: " + foreign + "\r\n"), 403U) << foreign;
    }
}

TEST(PolicyTest, ABodyIsJson) {
    const std::string body = "Host: localhost\r\nContent-Length: 2\r\n";
    for (const char* json : {"application/json",
                             "Application/JSON; charset=UTF-8",
                             "application/json;charset=\"utf-8\""}) {
        EXPECT_EQ(refused(body + "Content-Type: " + json + "\r\n"), 0U) << json;
    }
    for (const char* other : {"text/plain",
                              "application/jsonx",
                              "application/json; charset=latin1",
                              "application/x-www-form-urlencoded",
                              "multipart/form-data"}) {
        EXPECT_EQ(refused(body + "Content-Type: " + other + "\r\n"), 415U) << other;
    }
    EXPECT_EQ(refused(body), 415U);
    EXPECT_EQ(refused("Host: localhost\r\nTransfer-Encoding: chunked\r\n"), 415U);
    EXPECT_EQ(refused(body + "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"), 415U);
    EXPECT_EQ(refused("Host: localhost\r\n"), 0U) << "no body: the handler says what is missing";
}

}  // namespace
}  // namespace twophase::http
