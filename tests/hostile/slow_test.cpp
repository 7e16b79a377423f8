// Clients that take their time: each is cut off by a deadline, and nobody waits for them.
#include "tests/hostile/attack.hpp"

#include <cerrno>
#include <chrono>
#include <list>
#include <optional>
#include <sys/socket.h>

namespace twophase::hostile {
namespace {

using namespace std::chrono_literals;
using faults::Program;

constexpr int clients_of_a_kind = 10;

struct Slow {
    std::string name;
    RawSocket socket;
    std::string drip;  // sent again and again, a byte in effect; empty: silence
};

struct Kind {
    const char* name;
    std::string start;
    const char* drip;
};

std::vector<Kind> kinds() {
    const std::string head = "POST /v1/branches/prepare HTTP/1.1\r\n" + host + json;
    return {{"a head byte by byte", "GET /livez?a=", "a"},
            {"a head of ever more headers", "GET /livez HTTP/1.1\r\n" + host, "a: b\r\n"},
            {"silence in the head", "GET /livez HTTP/1.1\r\n" + host, ""},
            {"a body byte by byte", head + "Content-Length: 100000\r\n\r\n", "{"},
            {"a chunk byte by byte", head + http::test::chunked + "\r\nffff\r\n", "{"},
            {"silence in the body", head + "Content-Length: 2\r\n\r\n{", ""},
            {"silence where a go-ahead was asked for",
             head + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
             ""}};
}

class SlowTest : public AttackTest {};

/// What the server said at last; nothing while it waits on.
std::optional<std::string> last_answer(Slow& client) {
    if (!client.socket.has_bytes(0ms) && client.socket.send(client.drip)) return std::nullopt;
    std::string answer = client.socket.read_message();
    if (status_of(answer) == 100) return std::nullopt;
    return answer;
}

bool is_cut_off(Slow& client) {
    const auto answer = last_answer(client);
    if (!answer) return false;
    // More headers than are allowed may come before the deadline.
    EXPECT_TRUE(status_of(*answer) == 408 || status_of(*answer) == 431)
        << client.name << ": " << *answer;
    return true;
}

TEST_F(SlowTest, WhoDripsOrFallsSilentIsCutOffAtTheDeadline) {
    std::list<Slow> clients;
    for (const Kind& kind : kinds())
        for_each_program([&](const char* name, const Program& program) {
            for (int i = 0; i < clients_of_a_kind; ++i) {
                clients.push_back(
                    {std::string(name) + ": " + kind.name, connect(program), kind.drip});
                ASSERT_TRUE(clients.back().socket.send(kind.start));
            }
        });
    expect_service();
    const bool are_all_ended = faults::eventually(patience, [&] {
        std::erase_if(clients, is_cut_off);
        return clients.empty();
    });
    EXPECT_TRUE(are_all_ended) << clients.size() << " still connected, " << clients.front().name;
}

/// Asks on and on and never reads; true when the server has given it up.
class Deaf {
public:
    Deaf(const Program& program, const std::string& target)
        : socket_(connect(program)), request_(get(target)) {
        const int little = 4096;
        ::setsockopt(socket_.descriptor(), SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
    }

    bool is_given_up() {
        while (true) {
            const ssize_t sent = ::send(socket_.descriptor(),
                                        request_.data(),
                                        request_.size(),
                                        MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent < 0) return errno != EAGAIN;
        }
    }

private:
    RawSocket socket_;
    std::string request_;
};

TEST_F(SlowTest, WhoAsksOnWithoutReadingIsCutOffAtTheDeadline) {
    std::list<Deaf> clients;
    clients.emplace_back(fleet().coordinator, "/v1/transactions?limit=500");
    clients.emplace_back(fleet().credit, "/v1/accounts/u0/points/entries?limit=500");
    clients.emplace_back(fleet().coupon, "/v1/users/u0/coupons?limit=500");
    for (Deaf& client : clients) EXPECT_FALSE(client.is_given_up());
    expect_service();
    EXPECT_TRUE(faults::eventually(patience,
                                   [&] {
                                       std::erase_if(clients, [](Deaf& client) {
                                           return client.is_given_up();
                                       });
                                       return clients.empty();
                                   }))
        << clients.size() << " still connected";
}

}  // namespace
}  // namespace twophase::hostile
