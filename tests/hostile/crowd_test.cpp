// Many connections at once: idle ones up to the cap and beyond, some that come and go, and some
// that announce more than they send.
#include "tests/hostile/attack.hpp"

#include <ostream>
#include <sys/resource.h>
#include <vector>

namespace twophase::hostile {
namespace {

using faults::Program;

constexpr std::size_t cap = 10'000;  // of connections, in all three programs
constexpr std::size_t mebibyte = 1024 * 1024;

/// Whether this process and its children may open so many files.
bool raise_file_limit(rlim_t wanted) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted) return true;
    limit.rlim_cur = wanted;
    if (limit.rlim_max < wanted) limit.rlim_max = wanted;  // allowed to root
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

class CrowdTest : public AttackTest {
protected:
    static std::vector<RawSocket> crowd(const Program& program,
                                        std::size_t size,
                                        const std::string& first_words = {}) {
        std::vector<RawSocket> sockets;
        for (std::size_t i = 0; i < size; ++i) {
            sockets.push_back(connect(program));
            EXPECT_TRUE(sockets.back().send(first_words));
        }
        return sockets;
    }
};

/// The head of a request with a body of `bytes`, and nothing of the body.
std::string announcing(const std::string& target, std::size_t bytes) {
    return "POST " + target + " HTTP/1.1\r\n" + host + json +
           "Content-Length: " + std::to_string(bytes) + "\r\n\r\n";
}

struct Crowd {
    const char* name;
    const char* program;
    std::string first_words;  // what each says, then nothing more

    friend void PrintTo(const Crowd& crowd, std::ostream* out) { *out << crowd.name; }
};

class FullHouseTest : public CrowdTest, public testing::WithParamInterface<Crowd> {};

TEST_P(FullHouseTest, TenThousandConnectionsWithoutARequestKeepNobodyOut) {
    constexpr rlim_t files = cap + 2'000;
    if (!raise_file_limit(files)) GTEST_SKIP() << "this process may not open " << files << " files";
    const Program& program = fleet().by_name(GetParam().program);
    // As many as are allowed, and then some.
    const auto sockets = crowd(program, cap + 500, GetParam().first_words);
    EXPECT_TRUE(faults::eventually(patience, [&] { return footprint_of(program).files >= cap; }))
        << "only " << footprint_of(program).files << " files are open";
    expect_service();
    EXPECT_LE(footprint_of(program).files, cap + 1'000);
}

INSTANTIATE_TEST_SUITE_P(
    Of,
    FullHouseTest,
    testing::Values(
        Crowd{"idle_coordinator", "coordinator", ""},
        Crowd{"idle_credit", "credit", ""},
        Crowd{"half_heads_coordinator", "coordinator", "GET /livez HTTP/1.1\r\n"},
        Crowd{"half_bodies_coordinator", "coordinator", announcing("/v1/transactions", 9)},
        Crowd{"half_bodies_coupon", "coupon", announcing("/v1/branches/commit", 9)}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_F(CrowdTest, BodiesThatAreAnnouncedAndNeverComeKeepNobodyOut) {
    // Together more than a program has room for.
    const auto to_coordinator =
        crowd(fleet().coordinator, 300, announcing("/v1/transactions", mebibyte));
    const auto to_credit =
        crowd(fleet().credit, 80, announcing("/v1/branches/prepare", 4 * mebibyte));
    const auto to_coupon =
        crowd(fleet().coupon, 80, announcing("/v1/branches/prepare", 4 * mebibyte));
    expect_service();
}

TEST_F(CrowdTest, ConnectionsThatComeAndGoLeaveNothingBehind) {
    const std::vector<std::string> words{
        "", "G", get("/livez"), post("/v1/transactions", "{"), announcing("/v1/transactions", 9)};
    for_each_program([&](const char*, const Program& program) {
        for (std::size_t i = 0; i < 1'000; ++i) {
            RawSocket socket = connect(program);
            socket.send(words[i % words.size()]);
            if (i % 2 == 0) socket.reset();
        }
    });
    expect_service();
}

TEST_F(CrowdTest, WhoEndsItsSideIsAnsweredAndWhoVanishesIsForgotten) {
    for_each_program([&](const char* name, const Program& program) {
        RawSocket ended = connect(program);
        ended.send(get("/readyz"));
        ended.end_sending();
        EXPECT_EQ(status_of(ended.read_all()), 200) << name;
        RawSocket cut = connect(program);
        cut.send(announcing("/v1/transactions", 9) + "{");
        cut.end_sending();
        EXPECT_EQ(cut.read_all(), "") << name << ": half a request has no answer";
    });
    // Asked, and gone before the answer.
    for (int i = 0; i < 200; ++i) {
        RawSocket socket = connect(fleet().coordinator);
        socket.send(
            post("/v1/transactions",
                 faults::Load::request_of(
                     {.business_id = "gone-" + std::to_string(i), .user = "poor", .price = 1})
                     .dump()));
        socket.reset();
    }
    expect_service();
}

TEST_F(CrowdTest, AThousandRequestsInOneBreathAreAnsweredInOrder) {
    constexpr int count = 500;
    for_each_program([&](const char* name, const Program& program) {
        RawSocket socket = connect(program);
        std::string burst;
        for (int i = 0; i < count; ++i) burst += get("/livez") + get("/nowhere");
        ASSERT_TRUE(socket.send(burst));
        for (int i = 0; i < count; ++i) {
            ASSERT_EQ(status_of(socket.read_message()), 200) << name << " " << i;
            ASSERT_EQ(status_of(socket.read_message()), 404) << name << " " << i;
        }
    });
    expect_service();
}

}  // namespace
}  // namespace twophase::hostile
