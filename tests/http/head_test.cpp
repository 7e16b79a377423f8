#include "http/head.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>

namespace twophase::http {
namespace {

using State = HeadScanner::State;

TEST(HeadScannerTest, FindsTheEndWhereverTheBytesAreCut) {
    const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    HeadScanner scanner(100, 10);
    for (std::size_t i = 0; i < head.size(); ++i) {
        ASSERT_EQ(scanner.scan(head.substr(0, i)), State::incomplete) << i;
    }
    EXPECT_EQ(scanner.scan(head + "body"), State::complete);
    EXPECT_EQ(scanner.length(), head.size());
}

TEST(HeadScannerTest, CountsBytesAndHeaders) {
    const std::string head = "GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n";
    EXPECT_EQ(HeadScanner(head.size(), 2).scan(head), State::complete);
    EXPECT_EQ(HeadScanner(head.size() - 1, 2).scan(head), State::too_long);
    EXPECT_EQ(HeadScanner(head.size(), 1).scan(head), State::too_many);
}

TEST(HeadScannerTest, RefusesOddBytesAtOnce) {
    for (const std::string_view bytes : {std::string_view("GET / HTTP/1.1\n"),
                                         std::string_view("GET / HTTP/1.1\rX"),
                                         std::string_view("\r\n"),
                                         std::string_view("\n"),
                                         std::string_view("GET /\0", 6),
                                         std::string_view("GET /\x7f"),
                                         std::string_view("\x16\x03\x01")}) {
        EXPECT_EQ(HeadScanner(100, 10).scan(bytes), State::malformed) << bytes;
    }
}

RequestHead read(const std::string& head) {
    const auto parsed = parse_request_head(head);
    EXPECT_TRUE(parsed) << parsed.error().detail;
    return parsed ? *parsed : RequestHead{};
}

TEST(RequestHeadTest, ReadsTargetQueryAndHeaders) {
    const RequestHead head = read(
        "GET /v1/a%20b/%C3%A9?x=1&name=a+b%2Bc&flag HTTP/1.1\r\n"
        "HOST: LocalHost:80\r\nX-A:  v \r\nEmpty:\r\n\r\n");
    EXPECT_EQ(head.request.method, "GET");
    EXPECT_EQ(head.request.path, "/v1/a b/\xc3\xa9");
    EXPECT_EQ(head.request.query.at("x"), "1");
    EXPECT_EQ(head.request.query.at("name"), "a b+c");
    EXPECT_EQ(head.request.query.at("flag"), "");
    EXPECT_EQ(head.request.header("x-a"), "v");
    EXPECT_EQ(head.host, "localhost");
    EXPECT_EQ(head.authority, "localhost:80");
    EXPECT_TRUE(head.framing.keep_alive);
    EXPECT_FALSE(head.framing.has_body());
}

TEST(RequestHeadTest, ReadsHosts) {
    EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: [::1]:7070\r\n\r\n").host, "::1");
    EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n").host, "::1");
    EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").host, "a.example");
}

TEST(RequestHeadTest, ReadsFraming) {
    const auto chunked =
        read("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n").framing;
    EXPECT_TRUE(chunked.is_chunked);
    const auto length = read("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n").framing;
    EXPECT_EQ(length.length, 12U);
    EXPECT_FALSE(read("GET / HTTP/1.0\r\nHost: a\r\n\r\n").framing.keep_alive);
    EXPECT_TRUE(
        read("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n").framing.keep_alive);
    EXPECT_FALSE(
        read("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n").framing.keep_alive);
}

unsigned refused_with(const std::string& head) {
    const auto parsed = parse_response_head(head, "GET");
    return parsed ? parsed->response.status : 0;
}

// RFC 9110's example of a date, section 5.6.7.
constexpr std::chrono::system_clock::time_point some_time{std::chrono::seconds(784'111'777)};

std::string head_of(const Response& response, bool is_to_head = false) {
    return response_head(response, true, is_to_head, some_time);
}

TEST(ResponseHeadTest, IsStrictToo) {
    EXPECT_EQ(refused_with("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), 200U);
    EXPECT_EQ(refused_with("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), 200U);
    EXPECT_EQ(refused_with("HTTP/1.1 204 No Content\r\n\r\n"), 204U);
    EXPECT_EQ(refused_with("HTTP/1.1 100 Continue\r\n\r\n"), 100U);
    for (const std::string bad :
         {"HTTP/1.1 101 Switch\r\n\r\n",
          "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
          "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
          "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
          "HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
          "Content-Length: 1\r\n\r\n",
          "HTTP/1.1 200 OK\r\nA: 1\r\n folded\r\nContent-Length: 0\r\n\r\n"}) {
        EXPECT_EQ(refused_with(bad), 0U) << bad;
    }
}

TEST(ResponseHeadTest, NothingFromOutsideBreaksOutOfItsLine) {
    Response response;
    response.headers = {{"Location", "/a\r\nSet-Cookie: x=1\r\n\r\n<html>"},
                        {"Bad Name\r\nX", "1"},
                        {"Content-Length", "999"},
                        {"Date", "yesterday"},
                        {"transfer-encoding", "chunked"}};
    response.content_type = "text/plain\r\nX: 1";
    response.body = "hi";
    EXPECT_EQ(head_of(response),
              "HTTP/1.1 200 OK\r\n"
              "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
              "Content-Type: text/plain  X: 1\r\n"
              "Content-Length: 2\r\n"
              "Cache-Control: no-store\r\n"
              "X-Content-Type-Options: nosniff\r\n"
              "Connection: keep-alive\r\n"
              "Location: /a  Set-Cookie: x=1    <html>\r\n\r\n");
}

TEST(ResponseHeadTest, ToHeadTheLengthIsThatOfABodyThatWasMade) {
    Response response;
    EXPECT_NE(head_of(response).find("Content-Length: 0\r\n"), std::string::npos);
    EXPECT_EQ(head_of(response, true).find("Content-Length"), std::string::npos);
    response.body = "hi";
    EXPECT_NE(head_of(response, true).find("Content-Length: 2\r\n"), std::string::npos);
}

TEST(ResponseHeadTest, KeepsTheHandlersCacheControl) {
    Response response;
    response.headers = {{"cache-control", "max-age=60"}};
    const std::string head = head_of(response);
    EXPECT_EQ(head.find("no-store"), std::string::npos);
    EXPECT_NE(head.find("max-age=60"), std::string::npos);
}

TEST(ResponseHeadTest, AnImpossibleStatusIsAnInternalError) {
    for (const unsigned status : {0U, 100U, 199U, 600U}) {
        Response response;
        response.status = status;
        EXPECT_TRUE(head_of(response).starts_with("HTTP/1.1 500 ")) << status;
    }
}

}  // namespace
}  // namespace twophase::http
