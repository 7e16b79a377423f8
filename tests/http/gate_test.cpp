// What the server refuses, byte for byte.
#include "http/json.hpp"
#include "http/server.hpp"
#include "live.hpp"
#include "requests.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <ostream>
#include <string>
#include <utility>

namespace twophase::http {
namespace {

using namespace test;

struct Refused {
    const char* name;
    std::string bytes;
    int status;
    const char* code;

    friend void PrintTo(const Refused& one, std::ostream* out) { *out << one.name; }
};

class RefusedRequest : public testing::TestWithParam<Refused> {};

// Each is followed by a good request: nothing after a refused one may be parsed.
TEST_P(RefusedRequest, IsAnsweredOnceAndTheConnectionClosed) {
    std::atomic<int> handled = 0;
    ServerOptions options;
    options.max_body_bytes = 100;
    options.max_headers = 8;
    LiveServer server(
        [&handled](const Request& request, const Respond& respond) {
            ++handled;
            echo(request, respond);
        },
        options);
    const std::string answer = server.talk(GetParam().bytes + get("/smuggled"));
    EXPECT_EQ(status_of(answer), GetParam().status) << answer;
    EXPECT_EQ(handled, 0) << answer;
    EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos) << "two answers: " << answer;
    EXPECT_TRUE(has(answer, "Connection: close\r\n")) << answer;
    EXPECT_TRUE(has(answer, "Content-Type: application/problem+json\r\n")) << answer;
    const auto problem = parse_json(body_of(answer));
    ASSERT_TRUE(problem) << answer;
    EXPECT_EQ((*problem)["code"], GetParam().code);
    EXPECT_EQ((*problem)["status"], GetParam().status);
}

Refused malformed(const char* name, std::string bytes) {
    return {name, std::move(bytes), 400, "malformed-request"};
}

INSTANTIATE_TEST_SUITE_P(
    Framing,
    RefusedRequest,
    testing::Values(
        malformed("length_then_chunked",
                  with_headers("Content-Length: 5\r\n" + chunked, "0\r\n\r\n")),
        malformed("chunked_then_length",
                  with_headers(chunked + "Content-Length: 5\r\n", "0\r\n\r\n")),
        malformed("gzip_with_length",
                  with_headers("Transfer-Encoding: gzip\r\nContent-Length: 2\r\n", "{}")),
        malformed("identity", with_headers("Transfer-Encoding: identity\r\n")),
        malformed("gzip_chunked",
                  with_headers("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")),
        malformed("chunked_twice", with_headers("Transfer-Encoding: chunked, chunked\r\n")),
        malformed("two_transfer_encodings", with_headers(chunked + chunked, "0\r\n\r\n")),
        malformed("chunked_with_parameter", with_headers("Transfer-Encoding: chunked;q=1\r\n")),
        malformed("chunked_quoted", with_headers("Transfer-Encoding: \"chunked\"\r\n")),
        malformed("chunked_vertical_tab", with_headers("Transfer-Encoding: \vchunked\r\n")),
        malformed("transfer_encoding_empty", with_headers("Transfer-Encoding:\r\n")),
        malformed("space_before_colon", with_headers("Transfer-Encoding : chunked\r\n")),
        malformed("chunked_in_http10",
                  "POST /x HTTP/1.0\r\n" + host + json + chunked + "\r\n0\r\n\r\n"),
        malformed("two_equal_lengths",
                  with_headers("Content-Length: 2\r\nContent-Length: 2\r\n", "{}")),
        malformed("two_lengths", with_headers("Content-Length: 2\r\nContent-Length: 3\r\n", "{} ")),
        malformed("length_list", with_headers("Content-Length: 2, 2\r\n", "{}")),
        malformed("length_plus", with_headers("Content-Length: +2\r\n", "{}")),
        malformed("length_minus", with_headers("Content-Length: -2\r\n", "{}")),
        malformed("length_inner_space", with_headers("Content-Length: 2 2\r\n", "{}")),
        malformed("length_hex", with_headers("Content-Length: 0x2\r\n", "{}")),
        malformed("length_empty", with_headers("Content-Length:\r\n")),
        malformed("length_overflow",
                  with_headers("Content-Length: 18446744073709551618\r\n", "{}")),
        malformed("length_fraction", with_headers("Content-Length: 2.0\r\n", "{}")),
        malformed("folded", with_headers("X-A: 1\r\n folded\r\n")),
        malformed("folded_by_tab", with_headers("X-A: 1\r\n\tfolded\r\n")),
        malformed("folded_first", "POST /x HTTP/1.1\r\n X: 1\r\n" + host + "\r\n"),
        malformed("bare_line_feed", "GET / HTTP/1.1\nHost: localhost\n\n"),
        malformed("bare_line_feed_in_header", with_headers("X: 1\nContent-Length: 5\r\n")),
        malformed("bare_carriage_return", with_headers("X: 1\rContent-Length: 5\r\n")),
        malformed("nul", with_headers(std::string("X: a\0b\r\n", 8))),
        malformed("control_byte", with_headers("X: a\x01\r\n")),
        malformed("delete_byte", with_headers("X: a\x7f\r\n")),
        malformed("invalid_utf8", with_headers("X: \xff\r\n")),
        malformed("no_colon", with_headers("X\r\n")),
        malformed("no_name", with_headers(": 1\r\n")),
        malformed("name_with_space", with_headers("X Y: 1\r\n")),
        malformed("empty_line_first", "\r\n" + get("/")),
        malformed("chunk_size_not_hex", with_headers(chunked, "x\r\n\r\n0\r\n\r\n")),
        malformed("chunk_size_signed", with_headers(chunked, "-1\r\n\r\n0\r\n\r\n")),
        malformed("chunk_size_overflow", with_headers(chunked, "10000000000000000\r\n")),
        malformed("chunk_without_end", with_headers(chunked, "2\r\n{}0\r\n\r\n")),
        malformed("chunk_bare_line_feed",
                  with_headers(chunked, "2\n{}\n0\n\n" + std::string(20, 'x'))),
        malformed("chunk_extension_line_feed", with_headers(chunked, "2;a\nb\r\n{}\r\n0\r\n\r\n")),
        malformed("endless_chunk_extension",
                  with_headers(chunked, "2;" + std::string(100'000, 'a'))),
        malformed("trailer", with_headers(chunked, "2\r\n{}\r\n0\r\nX-Admin: 1\r\n\r\n"))),
    [](const auto& test) { return std::string(test.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Targets,
    RefusedRequest,
    testing::Values(
        malformed("absolute_form_of_https", with_target("https://localhost/x")),
        malformed("absolute_form_with_user", with_target("http://me@localhost/x")),
        malformed("absolute_form_of_another", with_target("http://evil.example/x")),
        malformed("authority_form", "CONNECT localhost:80 HTTP/1.1\r\n" + host + "\r\n"),
        malformed("asterisk_form", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n"),
        malformed("relative", with_target("x")),
        malformed("no_target", "GET HTTP/1.1\r\n" + host + "\r\n"),
        malformed("two_spaces", "GET  / HTTP/1.1\r\n" + host + "\r\n"),
        malformed("tab_for_space", "GET\t/ HTTP/1.1\r\n" + host + "\r\n"),
        malformed("space_at_end", "GET / \r\n" + host + "\r\n"),
        malformed("old_http", "GET /\r\n" + host + "\r\n"),
        malformed("no_method", " / HTTP/1.1\r\n" + host + "\r\n"),
        malformed("percent_alone", with_target("/a%")),
        malformed("percent_one_digit", with_target("/a%2")),
        malformed("percent_not_hex", with_target("/a%zz")),
        malformed("percent_in_query", with_target("/a?b=%zz")),
        malformed("dot", with_target("/a/./b")),
        malformed("dot_dot", with_target("/a/../b")),
        malformed("dot_dot_at_end", with_target("/a/..")),
        malformed("dot_dot_encoded", with_target("/a/%2e%2E/b")),
        malformed("slash_encoded", with_target("/a%2fb")),
        malformed("backslash_encoded", with_target("/a%5c..%5cb")),
        malformed("nul_encoded", with_target("/a%00")),
        malformed("line_feed_encoded", with_target("/a%0d%0a")),
        malformed("utf8_broken", with_target("/a%ff")),
        malformed("nul_in_query", with_target("/a?b=%00")),
        malformed("query_twice", with_target("/a?b=1&b=2")),
        malformed("query_twice_encoded", with_target("/a?b=1&%62=2")),
        malformed("query_without_name", with_target("/a?=1")),
        malformed("fragment", with_target("/a#b")),
        malformed("raw_utf8", with_target("/\xc3\xa9")),
        malformed("backslash", with_target("/a\\b")),
        Refused{"http_2", "GET / HTTP/2.0\r\n" + host + "\r\n", 505, "http-version-not-supported"},
        Refused{
            "http_1_2", "GET / HTTP/1.2\r\n" + host + "\r\n", 505, "http-version-not-supported"},
        Refused{"http_lower", "GET / http/1.1\r\n" + host + "\r\n", 400, "malformed-request"},
        Refused{"http_2_preface",
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                505,
                "http-version-not-supported"},
        Refused{"unknown_method", "BREW / HTTP/1.1\r\n" + host + "\r\n", 501, "unknown-method"},
        Refused{"lower_method", "get / HTTP/1.1\r\n" + host + "\r\n", 501, "unknown-method"},
        Refused{"trace", "TRACE / HTTP/1.1\r\n" + host + "\r\n", 501, "unknown-method"},
        malformed("tls", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11))),
    [](const auto& test) { return std::string(test.param.name); });

std::string many_headers(int count) {
    std::string headers;
    for (int i = 0; i < count; ++i) headers += "X" + std::to_string(i) + ": 1\r\n";
    return headers;
}

INSTANTIATE_TEST_SUITE_P(
    HostsAndLimits,
    RefusedRequest,
    testing::Values(
        malformed("no_host", "GET / HTTP/1.1\r\n\r\n"),
        malformed("no_host_for_a_page_in_http10",
                  "GET / HTTP/1.0\r\nOrigin: http://localhost\r\n\r\n"),
        malformed("two_hosts", "GET / HTTP/1.1\r\n" + host + host + "\r\n"),
        malformed("empty_host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
        malformed("host_with_path", "GET / HTTP/1.1\r\nHost: localhost/x\r\n\r\n"),
        malformed("host_with_user", "GET / HTTP/1.1\r\nHost: a@localhost\r\n\r\n"),
        malformed("host_list", "GET / HTTP/1.1\r\nHost: localhost, evil\r\n\r\n"),
        malformed("host_bad_port", "GET / HTTP/1.1\r\nHost: localhost:x\r\n\r\n"),
        malformed("host_large_port", "GET / HTTP/1.1\r\nHost: localhost:65536\r\n\r\n"),
        malformed("two_content_types", with_headers(json + "Content-Length: 2\r\n", "{}")),
        Refused{"foreign_host", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, "wrong-host"},
        Refused{"foreign_origin",
                with_headers("Origin: http://evil.example\r\n"),
                403,
                "foreign-origin"},
        Refused{"plain_text",
                "POST / HTTP/1.1\r\n" + host +
                    "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
                415,
                "unsupported-media-type"},
        Refused{"other_expectation",
                with_headers("Expect: 200-ok\r\nContent-Length: 2\r\n", "{}"),
                417,
                "expectation-failed"},
        Refused{
            "declared_too_large", with_headers("Content-Length: 101\r\n"), 413, "body-too-large"},
        Refused{"declared_huge",
                with_headers("Content-Length: 999999999999999999\r\n"),
                413,
                "body-too-large"},
        Refused{"chunked_too_large",
                with_headers(chunked,
                             "40\r\n" + std::string(64, ' ') + "\r\n40\r\n" + std::string(64, ' ') +
                                 "\r\n0\r\n\r\n"),
                413,
                "body-too-large"},
        Refused{
            "chunk_announced_huge", with_headers(chunked, "fffffff\r\n{}"), 413, "body-too-large"},
        Refused{"head_too_long",
                with_headers("X: " + std::string(9000, 'a') + "\r\n"),
                431,
                "head-too-large"},
        Refused{
            "target_too_long", with_target("/" + std::string(9000, 'a')), 431, "head-too-large"},
        Refused{"too_many_headers", with_headers(many_headers(9)), 431, "head-too-large"}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace twophase::http
