// What a participant in doubt asks, and which answers it takes.
#include "participants/credit/credit.hpp"
#include "participants/inquirer.hpp"
#include "tests/participants/bench.hpp"
#include "tests/participants/running.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

namespace twophase::participants {
namespace {

using http::Json;
using testing::deduct;
using testing::get;
using testing::gid;
using testing::post;
using testing::RunningParticipant;
using testing::StandInCoordinator;

http::Response decision(const std::string& gid, const std::string& word, std::uint64_t epoch = 1) {
    http::Response response;
    response.body =
        Json{{"gid", gid}, {"coordinator", "main"}, {"epoch", epoch}, {"decision", word}}.dump();
    return response;
}

std::string gid_in(const std::string& path) {
    const std::string prefix = "/v1/transactions/";
    return path.substr(prefix.size(), path.rfind('/') - prefix.size());
}

/// A credit service that asks `coordinator` almost at once.
struct Asking {
    explicit Asking(const StandInCoordinator& coordinator, const std::string& silent = "")
        : participant(start(coordinator, silent)) {
        const http::Endpoint& at = participant->endpoint();
        post(at, "/v1/accounts", {{"user_id", "ann"}, {"credit_type", "points"}});
        post(at,
             "/v1/accounts/ann/points/grant",
             {{"amount", 100}, {"business_code", "welcome"}, {"business_id", "1"}});
    }
    std::unique_ptr<RunningParticipant> start(const StandInCoordinator& coordinator,
                                              const std::string& silent) {
        Config config = credit::defaults();
        config.inquire_after = std::chrono::milliseconds(1);
        config.coordinators.insert_or_assign("main",
                                             http::Endpoint::parse(coordinator.url()).value());
        if (!silent.empty())
            config.coordinators.emplace("silent", http::Endpoint::parse(silent).value());
        return std::make_unique<RunningParticipant>(
            std::make_unique<credit::CreditKind>(), config, directory.path());
    }
    Json account() { return get(participant->endpoint(), "/v1/accounts/ann/points").body; }
    void prepare(int n) { post(participant->endpoint(), "/v1/branches/prepare", deduct(n)); }
    bool is_settled() {
        return testing::eventually([&] { return account().at("frozen") == 0; });
    }

    testing::TemporaryDirectory directory;
    std::unique_ptr<RunningParticipant> participant;
};

TEST(InquiryTest, CommitsAndRollsBackAsTheCoordinatorSays) {
    const StandInCoordinator coordinator([](const std::string& path) {
        const std::string asked = gid_in(path);
        return decision(asked, asked == gid(1) ? "commit" : "rollback");
    });
    Asking service(coordinator);
    service.prepare(1);
    service.prepare(2);
    EXPECT_TRUE(service.is_settled());
    EXPECT_EQ(service.account().at("balance"), 70);
}

TEST(InquiryTest, AsksAgainWhilePending) {
    std::atomic<int> asked = 0;
    const StandInCoordinator coordinator([&](const std::string& path) {
        return decision(gid_in(path), ++asked < 3 ? "pending" : "commit");
    });
    Asking service(coordinator);
    service.prepare(1);
    EXPECT_TRUE(service.is_settled());
    EXPECT_EQ(service.account().at("balance"), 70);
    EXPECT_EQ(asked, 3);
}

TEST(InquiryTest, TakesNoAnswerThatIsNotAboutItsOwnBranch) {
    std::atomic<int> asked = 0;
    std::mutex mutex;
    std::vector<http::Response> wrong;
    const auto add = [&](http::Response response) { wrong.push_back(std::move(response)); };
    add(decision(gid(2), "commit"));  // of another branch in doubt here
    Json foreign = Json::parse(decision(gid(1), "commit").body);
    foreign["coordinator"] = "another";
    add({.status = 200, .body = foreign.dump(), .content_type = "application/json", .headers = {}});
    add({.status = 200, .body = "hello", .content_type = "text/plain", .headers = {}});
    add({.status = 404,
         .body = decision(gid(1), "commit").body,
         .content_type = "application/json",
         .headers = {}});
    const StandInCoordinator coordinator([&](const std::string& path) {
        const std::lock_guard lock(mutex);
        const bool is_over = static_cast<std::size_t>(asked) >= wrong.size();
        if (gid_in(path) == gid(2)) return decision(gid(2), is_over ? "rollback" : "pending");
        return is_over ? decision(gid(1), "rollback") : wrong[static_cast<std::size_t>(asked++)];
    });
    Asking service(coordinator);
    post(service.participant->endpoint(),
         "/v1/branches/prepare",
         Json::array({deduct(1), deduct(2)}));
    EXPECT_TRUE(service.is_settled());
    EXPECT_EQ(service.account().at("balance"), 100) << "only the rollbacks counted";
}

TEST(InquiryTest, TakesNoDecisionOfAReplacedCoordinator) {
    std::atomic<int> asked = 0;
    const StandInCoordinator coordinator([&](const std::string& path) {
        return ++asked == 1 ? decision(gid_in(path), "commit", 0)
                            : decision(gid_in(path), "rollback", 2);
    });
    Asking service(coordinator);
    service.prepare(1);
    EXPECT_TRUE(service.is_settled());
    EXPECT_EQ(service.account().at("balance"), 100);
}

TEST(InquiryTest, AsksAboutMoreThanFitAtOnce) {
    const StandInCoordinator coordinator(
        [](const std::string& path) { return decision(gid_in(path), "commit"); });
    Asking service(coordinator);
    Json many = Json::array();
    for (int n = 1; n <= 100; ++n) many.push_back(deduct(n, 1));
    post(service.participant->endpoint(), "/v1/branches/prepare", many);
    EXPECT_TRUE(service.is_settled());
    EXPECT_EQ(service.account().at("balance"), 0);
}

/// Takes connections and says nothing.
class SilentCoordinator {
public:
    SilentCoordinator() : listener_(io_, {boost::asio::ip::address_v4::loopback(), 0}) {
        listener_.non_blocking(true);
    }
    std::string url() const {
        return "http://127.0.0.1:" + std::to_string(listener_.local_endpoint().port());
    }
    /// How many connections were made.
    std::size_t connections() {
        boost::system::error_code none;
        while (true) {
            boost::asio::ip::tcp::socket socket(io_);
            listener_.accept(socket, none);
            if (none) return accepted_.size();
            accepted_.push_back(std::move(socket));
        }
    }

private:
    boost::asio::io_context io_;
    boost::asio::ip::tcp::acceptor listener_;
    std::vector<boost::asio::ip::tcp::socket> accepted_;
};

TEST(InquiryTest, ACoordinatorThatWasNeverHeardTakesOnePlaceOfThose) {
    SilentCoordinator silent;
    const StandInCoordinator coordinator(
        [](const std::string& path) { return decision(gid_in(path), "commit"); });
    Asking service(coordinator, silent.url());
    Json many = Json::array();
    for (int n = 1; n <= 40; ++n) many.push_back(deduct(n, 1));
    for (int n = 0; n < 39; ++n) many[n]["coordinator"] = "silent";
    post(service.participant->endpoint(), "/v1/branches/prepare", many);
    // The last of them all is main's.
    EXPECT_TRUE(testing::eventually([&] { return service.account().at("balance") == 99; }));
    EXPECT_LT(silent.connections(), InquirerOptions{}.most_in_flight);
}

}  // namespace
}  // namespace twophase::participants
