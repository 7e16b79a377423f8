#include "tests/hostile/attack.hpp"

#include "http/endpoint.hpp"
#include "tests/faults/books.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace twophase::hostile {
namespace {

using faults::Fleet;
using faults::Program;

// The programs' own connections to each other come and go.
constexpr std::size_t more_files = 64;
// Under the address sanitizer freed memory returns late.
constexpr std::size_t more_kib = 256 * 1024;

std::string to_text(const Footprint& footprint) {
    return std::to_string(footprint.files) + " files and " +
           std::to_string(footprint.resident_kib) + " KiB";
}

/// The fleet, and what all honest clients were told: compared with the books at the end.
class World : public testing::Environment {
public:
    void SetUp() override {
        // What is freed shall not be held back, so that growth shows.
        ::setenv("ASAN_OPTIONS", "quarantine_size_mb=8", 0);
        fleet_ = std::make_unique<Fleet>();
        fleet_->start_all();
        faults::open_books(*fleet_);
    }

    void TearDown() override {
        faults::expect_quiet(*fleet_, patience);
        const auto outcomes = faults::expect_books_agree(*fleet_, told_);
        EXPECT_EQ(outcomes.commits, told_.size());
        std::printf("%zu exchanges of honest clients, all committed\n", told_.size());
        for (Program* program : {&fleet_->coordinator, &fleet_->credit, &fleet_->coupon}) {
            // A leak or another finding of a sanitizer shows in the exit code.
            EXPECT_EQ(program->terminate().exit_code, 0) << program->log_tail();
            expect_clean_log(*program);
        }
        fleet_.reset();
    }

    Fleet& fleet() { return *fleet_; }
    void add(const std::map<std::string, faults::Exchange>& told) {
        told_.insert(told.begin(), told.end());
    }

private:
    static void expect_clean_log(const Program& program) {
        std::ifstream log(program.log_file());
        for (std::string line; std::getline(log, line);)
            for (const char* sign : {"Sanitizer", "runtime error", "[critical]", "Assertion"})
                EXPECT_EQ(line.find(sign), std::string::npos) << line;
    }

    std::unique_ptr<Fleet> fleet_;
    std::map<std::string, faults::Exchange> told_;
};

// gtest owns it.
World& world() {
    static World* const world = dynamic_cast<World*>(testing::AddGlobalTestEnvironment(new World));
    return *world;
}

[[maybe_unused]] const World& registered_before_main = world();

}  // namespace

RawSocket connect(const Program& program) {
    const auto endpoint = http::Endpoint::parse(program.endpoint()).value();
    auto socket = RawSocket::to(endpoint.resolve().value().port);
    const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
    ::setsockopt(socket.descriptor(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return socket;
}

std::string ask(RawSocket& socket, const std::string& bytes) {
    if (!socket.send(bytes)) return "(not taken)";
    return socket.read_message();
}

Footprint footprint_of(const Program& program) {
    const std::filesystem::path process = "/proc/" + std::to_string(program.pid());
    Footprint footprint;
    for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator(process / "fd"))
        ++footprint.files;
    std::ifstream status(process / "status");
    for (std::string word; status >> word;)
        if (word == "VmRSS:") status >> footprint.resident_kib;
    return footprint;
}

Fleet& AttackTest::fleet() { return world().fleet(); }

void AttackTest::for_each_program(
    const std::function<void(const char* name, const Program&)>& look) {
    look("coordinator", fleet().coordinator);
    look("credit", fleet().credit);
    look("coupon", fleet().coupon);
}

void AttackTest::SetUp() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    honest_ = std::make_unique<Honest>(fleet(), std::string(test->name()) + "-");
    expect_service();
    for_each_program(
        [this](const char* name, const Program& it) { before_[name] = footprint_of(it); });
}

void AttackTest::TearDown() {
    expect_service();
    honest_->stop();
    EXPECT_EQ(honest_->failure(), "");
    world().add(honest_->exchanges());
    expect_nothing_left();
}

void AttackTest::expect_nothing_left() {
    std::string excess;
    const bool is_back = faults::eventually(patience, [&] {
        excess.clear();
        for_each_program([&](const char* name, const Program& program) {
            const Footprint before = before_[name];
            const Footprint now = footprint_of(program);
            if (now.files <= before.files + more_files &&
                now.resident_kib <= before.resident_kib + more_kib)
                return;
            excess += std::string(name) + " holds " + to_text(now) + ", before the attack " +
                      to_text(before) + "\n";
        });
        return excess.empty();
    });
    EXPECT_TRUE(is_back) << excess;
}

}  // namespace twophase::hostile
