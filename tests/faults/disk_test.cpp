// Full disks and full maps: new work is refused before anything is written, decisions and ends
// still go through, and once there is room again so does new work.
#include "tests/faults/books.hpp"
#include "tests/faults/fleet.hpp"
#include "tests/faults/load.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace twophase::faults {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t mebibyte = std::size_t{1} << 20;

/// A small disk of its own where a program keeps its data.
class SmallDisk {
public:
    SmallDisk(std::filesystem::path at, std::size_t bytes) : at_(std::move(at)) {
        std::filesystem::create_directory(at_);
        const std::string size = "size=" + std::to_string(bytes) + ",mode=0700";
        if (::mount("tmpfs", at_.c_str(), "tmpfs", 0, size.c_str()) != 0) why_not_ = errno;
    }
    ~SmallDisk() {
        if (is_mounted()) ::umount2(at_.c_str(), MNT_DETACH);
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;

    bool is_mounted() const { return why_not_ == 0; }
    std::string why_not() const { return std::strerror(why_not_); }

    /// Writes until there is nothing left.
    void fill() const {
        std::ofstream filler(at_ / "filler", std::ios::binary);
        const std::string page(4096, 'x');
        while (filler.write(page.data(), static_cast<std::streamsize>(page.size())).flush()) {
        }
        struct statvfs status {};
        ASSERT_EQ(::statvfs(at_.c_str(), &status), 0);
        ASSERT_EQ(status.f_bavail, 0U);
    }
    void empty() const { std::filesystem::remove(at_ / "filler"); }

private:
    std::filesystem::path at_;
    int why_not_ = 0;
};

class RoomTest : public testing::TestWithParam<const char*> {
protected:
    Program& program() { return fleet_.by_name(GetParam()); }

    /// Asks the program itself for something new; the status that it answers with.
    unsigned ask_for_new_work() {
        const std::string id = "new-" + std::to_string(++number_);
        if (&program() == &fleet_.coordinator) {
            const Exchange order{.business_id = id, .user = "u0", .price = 1};
            const auto answer = ask(program(), "POST", "/v1/transactions", Load::request_of(order));
            if (answer.status != 503) own_.emplace(id, order);
            return answer.status;
        }
        if (&program() == &fleet_.credit) {
            const Json grant{{"amount", 1}, {"business_code", "test"}, {"business_id", id}};
            return ask(program(), "POST", "/v1/accounts/u0/points/grant", grant).status;
        }
        const Json coupons{
            {"template_id", id}, {"name", "New"}, {"stock", 1}, {"per_user_limit", 0}};
        return ask(program(), "POST", "/v1/templates", coupons).status;
    }
    void expect_new_work(bool is_taken) {
        unsigned status = 0;
        EXPECT_TRUE(eventually(60s,
                               [&] {
                                   status = ask_for_new_work();
                                   return is_taken ? status < 300 : status == 503;
                               }))
            << status << "\n"
            << program().log_tail();
    }
    void expect_books_agree_with(const Load& load) {
        expect_quiet(fleet_, 60s);
        own_.insert(load.exchanges().begin(), load.exchanges().end());
        expect_books_agree(fleet_, own_);
    }
    void expect_orderly_end() {
        for (Program* each : {&fleet_.coordinator, &fleet_.credit, &fleet_.coupon})
            EXPECT_EQ(each->terminate().exit_code, 0) << each->log_tail();
    }

    Fleet fleet_{quick()};
    int number_ = 0;
    std::map<std::string, Exchange> own_;  // beside the load's
};

class FullDiskTest : public RoomTest {};

TEST_P(FullDiskTest, NewWorkIsRefusedDecisionsAndEndsGoThrough) {
    program().set_environment("TWOPHASE_STORE_MAX_BYTES", std::to_string(32 * mebibyte));
    const SmallDisk disk(program().data(), 16 * mebibyte);
    if (!disk.is_mounted())
        GTEST_SKIP() << "no tmpfs can be mounted here (" << disk.why_not() << "): " << GetParam()
                     << " on a full disk is not tested";
    fleet_.start_all();
    open_books(fleet_);
    // Decided, and nobody told, when the disk is full.
    fleet_.coordinator.terminate();
    fleet_.coordinator.start("after-decided");
    Load load(fleet_.coordinator, {.clients = 1, .most_exchanges = 1, .pause = 20ms});
    load.start();
    ASSERT_TRUE(fleet_.coordinator.wait_end(60s));
    disk.fill();
    fleet_.start_all();
    EXPECT_TRUE(load.finish(60s)) << program().log_tail();
    expect_quiet(fleet_, 60s);
    expect_new_work(false);
    if (&program() != &fleet_.coordinator) {
        // It can't vote yes, so the deadline rolls back, which it remembers on its full disk.
        const Exchange late{.business_id = "late", .user = "u0", .price = 1};
        const Json order = Load::request_of(late);
        EXPECT_EQ(ask_json(fleet_.coordinator, "POST", "/v1/transactions", order)["decision"],
                  "rollback");
        own_.emplace("late", late);
        expect_quiet(fleet_, 60s);
    }
    disk.empty();
    expect_new_work(true);
    expect_books_agree_with(load);
    expect_orderly_end();
}

class FullMapTest : public RoomTest {};

TEST_P(FullMapTest, NewWorkIsRefusedWhatIsUnderWayEndsAndARestartMakesRoom) {
    program().set_environment("TWOPHASE_STORE_MAX_BYTES", std::to_string(mebibyte));
    fleet_.start_all();
    open_books(fleet_);
    Load load(fleet_.coordinator, {.clients = 16, .pause = 20ms});
    load.start();
    EXPECT_TRUE(eventually(120s, [&] { return ask_for_new_work() == 503; }))
        << program().log_tail();
    // Its clients ask on, but what is refused is not unfinished.
    const bool is_coordinator = &program() == &fleet_.coordinator;
    EXPECT_TRUE(is_coordinator || load.finish(60s));
    expect_quiet(fleet_, 60s);
    EXPECT_EQ(program().terminate().exit_code, 0) << program().log_tail();
    fleet_.start_all();
    EXPECT_TRUE(!is_coordinator || load.finish(60s));
    expect_new_work(true);
    expect_books_agree_with(load);
    expect_orderly_end();
}

const auto name_of = [](const testing::TestParamInfo<const char*>& info) {
    return std::string(info.param);
};
const auto programs = testing::Values("coordinator", "credit", "coupon");

INSTANTIATE_TEST_SUITE_P(Each, FullDiskTest, programs, name_of);
INSTANTIATE_TEST_SUITE_P(Each, FullMapTest, programs, name_of);

}  // namespace
}  // namespace twophase::faults
