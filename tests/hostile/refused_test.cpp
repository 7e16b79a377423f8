// What the gate refuses, sent to the real programs: too large, or readable in two ways. Each is
// answered once, nothing behind it is parsed, and the connection ends.
#include "tests/hostile/attack.hpp"

#include <vector>

namespace twophase::hostile {
namespace {

using faults::Program;
using http::test::chunked;
using http::test::with_headers;

constexpr std::size_t mebibyte = 1024 * 1024;

struct Refused {
    const char* name;
    std::string bytes;
    int status = 400;
};

class RefusedTest : public AttackTest {
protected:
    /// To each program, with a request behind it that must not be seen.
    void expect_refused(const std::vector<Refused>& all) {
        for (const Refused& one : all)
            for_each_program([&](const char* name, const Program& program) {
                RawSocket socket = connect(program);
                // It may be refused before all of it is taken.
                socket.send(one.bytes + get("/livez"));
                socket.end_sending();
                const std::string answer = socket.read_all();
                EXPECT_EQ(status_of(answer), one.status) << name << ", " << one.name << "\n"
                                                         << answer;
                EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos)
                    << name << ", " << one.name << ": answered twice\n"
                    << answer;
            });
        expect_service();
    }
};

std::string headers(int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += "a" + std::to_string(i) + ": b\r\n";
    return all;
}

std::string in_one_chunk(std::size_t bytes) {
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", bytes);
    return size + std::string(bytes, ' ') + "\r\n0\r\n\r\n";
}

TEST_F(RefusedTest, WhatHasTwoReadings) {
    const std::string length = "Content-Length: 4\r\n";
    const std::string hidden = "0\r\n\r\n";
    expect_refused({
        {"length, then chunked", with_headers(length + chunked, hidden)},
        {"chunked, then length", with_headers(chunked + length, hidden)},
        {"gzip", with_headers("Transfer-Encoding: gzip\r\n")},
        {"gzip with a length", with_headers("Transfer-Encoding: gzip\r\n" + length, "abcd")},
        {"identity", with_headers("Transfer-Encoding: identity\r\n")},
        {"gzip, chunked", with_headers("Transfer-Encoding: gzip, chunked\r\n", hidden)},
        {"chunked, identity", with_headers("Transfer-Encoding: chunked, identity\r\n", hidden)},
        {"xchunked", with_headers("Transfer-Encoding: xchunked\r\n", hidden)},
        {"chunked with a vertical tab", with_headers("Transfer-Encoding: \vchunked\r\n", hidden)},
        {"chunked twice", with_headers(chunked + chunked, hidden)},
        {"two lengths", with_headers(length + "Content-Length: 5\r\n", "abcde")},
        {"equal lengths", with_headers(length + length, "abcd")},
        {"a list of lengths", with_headers("Content-Length: 4, 4\r\n", "abcd")},
        {"a signed length", with_headers("Content-Length: +4\r\n", "abcd")},
        {"a negative length", with_headers("Content-Length: -1\r\n")},
        {"a hexadecimal length", with_headers("Content-Length: 0x4\r\n", "abcd")},
        {"a length beyond 64 bits", with_headers("Content-Length: 18446744073709551620\r\n")},
        {"an empty length", with_headers("Content-Length: \r\n")},
        {"a space before the colon", with_headers("Content-Length : 4\r\n", "abcd")},
        {"a folded header", with_headers("X: a\r\n b\r\n")},
        {"no host", "GET /livez HTTP/1.1\r\n\r\n"},
        {"two hosts", "GET /livez HTTP/1.1\r\n" + host + host + "\r\n"},
        {"an empty host", "GET /livez HTTP/1.1\r\nHost: \r\n\r\n"},
        {"a bare LF", "GET /livez HTTP/1.1\nHost: localhost\n\n"},
        {"a bare LF in a header", with_headers("X: a\nContent-Length: 4\r\n", "abcd")},
        {"a bare CR", with_headers("X: a\rb\r\n")},
        {"NUL in a header", with_headers(std::string("X: a\0b\r\n", 8))},
        {"NUL in the target", with_headers(std::string("\0", 1))},
        {"a chunk size of no digits", with_headers(chunked, "\r\n\r\n")},
        {"a chunk size beyond 64 bits", with_headers(chunked, "10000000000000000\r\n")},
        {"a chunk longer than it says", with_headers(chunked, "1\r\nab\r\n0\r\n\r\n")},
        {"trailers", with_headers(chunked, "0\r\nContent-Length: 4\r\n\r\n")},
        {"a target of another server", "GET http://localhost:1/livez HTTP/1.1\r\n" + host + "\r\n"},
        {"a tunnel", "CONNECT localhost:22 HTTP/1.1\r\n" + host + "\r\n"},
        {"an empty line first", "\r\n" + get("/livez")},
        {"TLS", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)},
    });
}

TEST_F(RefusedTest, WhatIsTooLarge) {
    const std::string length = "Content-Length: ";
    expect_refused({
        {"a head above 8 KiB", with_headers("X: " + std::string(8192, 'x') + "\r\n"), 431},
        {"a target above 8 KiB", get("/" + std::string(8192, 'x')), 431},
        {"a target without an end", "GET /" + std::string(mebibyte, 'x'), 431},
        {"65 headers", "GET /livez HTTP/1.1\r\n" + host + headers(64) + "\r\n", 431},
        {"a body above 1 MiB", with_headers(length + std::to_string(mebibyte + 1) + "\r\n"), 413},
        {"a body of 10^18 bytes", with_headers(length + "999999999999999999\r\n"), 413},
        {"a chunk above 1 MiB", with_headers(chunked, in_one_chunk(mebibyte + 1)), 413},
        {"a chunk of 2^63 bytes", with_headers(chunked, "8000000000000000\r\n"), 413},
        {"a chunk extension above 4 KiB",
         with_headers(chunked, "1;" + std::string(5000, 'x') + "\r\n"),
         400},
    });
}

TEST_F(RefusedTest, ArraysAboveFourMebibytesOr256Messages) {
    for (const Program* program : {&fleet().credit, &fleet().coupon}) {
        RawSocket socket = connect(*program);
        const std::string blanks(4 * mebibyte - 1, ' ');
        socket.send(post("/v1/branches/prepare", blanks + "[]"));
        EXPECT_EQ(status_of(socket.read_all()), 413);
        RawSocket at_the_limit = connect(*program);
        EXPECT_EQ(status_of(ask(at_the_limit, post("/v1/branches/prepare", blanks + "1"))), 400);
        std::string many = "[0";
        for (int i = 0; i < 256; ++i) many += ",0";
        EXPECT_EQ(status_of(ask(at_the_limit, post("/v1/branches/prepare", many + "]"))), 400);
    }
    expect_service();
}

TEST_F(RefusedTest, WhatComesFromOrIsMeantForSomebodyElse) {
    expect_refused({
        {"another's host", "GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421},
        {"another's page", with_headers("Origin: http://evil.example\r\n", ""), 403},
        {"a form",
         "POST /v1/transactions HTTP/1.1\r\n" + host +
             "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
         415},
        {"an unknown method", "BREW /livez HTTP/1.1\r\n" + host + "\r\n", 501},
        {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    });
}

}  // namespace
}  // namespace twophase::hostile
