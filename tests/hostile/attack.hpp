// What every attack has around it: three real programs, an honest client at work, and a look at
// what the attack left behind.
#pragma once

#include "tests/faults/fleet.hpp"
#include "tests/hostile/honest.hpp"
#include "tests/http/raw_socket.hpp"
#include "tests/http/requests.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace twophase::hostile {

using http::test::body_of;
using http::test::get;
using http::test::host;
using http::test::json;
using http::test::post;
using http::test::RawSocket;
using http::test::status_of;

/// Only against a hang: no claim waits this long when it is true.
inline constexpr std::chrono::seconds patience{120};

/// A connection to a program.
RawSocket connect(const faults::Program& program);

/// Sends `bytes` and reads one answer.
std::string ask(RawSocket& socket, const std::string& bytes);

/// What a process holds.
struct Footprint {
    std::size_t files = 0;
    std::size_t resident_kib = 0;
};
Footprint footprint_of(const faults::Program& program);

/// One fleet for all attacks; each test has an honest client of its own. When a test ends, every
/// request of that client must have succeeded and the programs must hold no more than before.
class AttackTest : public testing::Test {
protected:
    void SetUp() override;
    void TearDown() override;

    /// The honest client is served, now, by all three programs.
    void expect_service() { EXPECT_TRUE(honest_->goes_on()) << honest_->failure(); }

    static faults::Fleet& fleet();
    static void for_each_program(
        const std::function<void(const char* name, const faults::Program&)>& look);

private:
    void expect_nothing_left();

    std::unique_ptr<Honest> honest_;
    std::map<std::string, Footprint> before_;
};

}  // namespace twophase::hostile
