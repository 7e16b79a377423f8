// Names that answer slowly, wrongly or never. getaddrinfo is the test's own for names in .test.
#include "http/lookup.hpp"

#include "http/client.hpp"
#include "live.hpp"

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <condition_variable>
#include <dlfcn.h>
#include <map>
#include <memory>
#include <mutex>
#include <netdb.h>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::http {
namespace {

using namespace std::chrono_literals;
using test::LiveServer;

// What the name server says; one for the process, as lookups may outlive a test's loop.
class NameServer {
public:
    void set(const std::string& name, const std::string& address) {
        const std::scoped_lock lock(mutex_);
        addresses_[name] = address;
    }
    void set_silent(const std::string& name, bool is_silent) {
        const std::scoped_lock lock(mutex_);
        silent_[name] = is_silent;
        changed_.notify_all();
    }
    /// The address, after the silence; nothing when there is none.
    std::string answer(const std::string& name) {
        std::unique_lock lock(mutex_);
        ++asked_[name];
        ++under_way_;
        changed_.notify_all();
        changed_.wait(lock, [&] { return !silent_[name]; });
        --under_way_;
        changed_.notify_all();
        return addresses_[name];
    }
    int asked(const std::string& name) {
        const std::scoped_lock lock(mutex_);
        return asked_[name];
    }
    bool await_under_way(int count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, test::patience, [&] { return under_way_ == count; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, std::string> addresses_;
    std::map<std::string, bool> silent_;
    std::map<std::string, int> asked_;
    int under_way_ = 0;
};

NameServer& name_server() {
    static auto* const server = new NameServer;  // never destroyed: a lookup may be left behind
    return *server;
}

}  // namespace
}  // namespace twophase::http

extern "C" int getaddrinfo(const char* name,
                           const char* service,
                           const addrinfo* hints,
                           addrinfo** result) {
    using Function = decltype(&::getaddrinfo);
    static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
    if (name == nullptr || !std::string_view(name).ends_with(".test"))
        return real(name, service, hints, result);
    const std::string address = twophase::http::name_server().answer(name);
    if (address.empty()) return EAI_AGAIN;
    return real(address.c_str(), service, hints, result);
}

namespace twophase::http {
namespace {

class LookupTest : public testing::Test {
protected:
    LookupTest() {
        for (const std::string& each : {known_, slow_}) name_server().set(each, "127.0.0.1");
    }
    ~LookupTest() override {
        for (const std::string& each : {known_, slow_}) name_server().set_silent(each, false);
        EXPECT_TRUE(name_server().await_under_way(0));
    }

    /// A name that no other test has asked for.
    static std::string new_name() {
        static int count = 0;
        return "host-" + std::to_string(++count) + ".test";
    }
    std::unique_ptr<Client> client_of(const std::string& host, ClientOptions options = {}) {
        const auto peer = Endpoint::parse("http://" + host + ":" + std::to_string(server_.port()));
        return std::make_unique<Client>(*io_, *peer, options);
    }
    std::shared_ptr<std::optional<Result<unsigned>>> send(Client& client) {
        auto status = std::make_shared<std::optional<Result<unsigned>>>();
        client.send({.target = "/"}, test::patience, [status](Result<Response> answer) {
            *status = answer ? Result<unsigned>(answer->status) : answer.error();
        });
        return status;
    }
    Result<unsigned> ask(Client& client) {
        const auto status = send(client);
        await([&] { return status->has_value(); });
        return status->value_or(Errc::timed_out);
    }
    /// Asks on a connection of its own.
    Result<unsigned> ask_anew(const std::string& host, LookupOptions lookup) {
        const auto client = client_of(host, {.lookup = lookup});
        return ask(*client);
    }
    template <class Condition>
    void await(Condition condition) {
        io_->restart();
        const auto limit = std::chrono::steady_clock::now() + test::patience;
        while (!condition() && std::chrono::steady_clock::now() < limit) io_->run_one_for(100ms);
        EXPECT_TRUE(condition()) << "nothing came";
    }

    const std::string known_ = new_name();
    const std::string slow_ = new_name();
    LiveServer server_{[](const Request&, const Respond& respond) { respond({.status = 200}); },
                       {.allowed_hosts = {known_, slow_}}};
    std::unique_ptr<boost::asio::io_context> io_ = std::make_unique<boost::asio::io_context>(1);
};

TEST_F(LookupTest, ASlowOneHoldsUpItsOwnPeerAlone) {
    name_server().set_silent(slow_, true);
    const auto to_slow = client_of(slow_);
    const auto waiting = send(*to_slow);
    EXPECT_EQ(ask_anew(known_, {}).value(), 200U);
    EXPECT_EQ(ask_anew("localhost", {}).value(), 200U) << "as the hosts file has it";
    EXPECT_EQ(ask_anew("127.0.0.1", {}).value(), 200U);
    EXPECT_FALSE(waiting->has_value());
    name_server().set_silent(slow_, false);
    await([&] { return waiting->has_value(); });
    EXPECT_EQ(waiting->value().value(), 200U);
}

TEST_F(LookupTest, ThereIsOneAtATimeForAName) {
    name_server().set_silent(known_, true);
    const auto client = client_of(known_);
    const auto another = client_of(known_);
    std::vector<std::shared_ptr<std::optional<Result<unsigned>>>> answers;
    for (int i = 0; i < 4; ++i) {
        answers.push_back(send(*client));
        answers.push_back(send(*another));
    }
    io_->poll();
    EXPECT_TRUE(name_server().await_under_way(1));
    name_server().set_silent(known_, false);
    for (const auto& answer : answers) {
        await([&] { return answer->has_value(); });
        EXPECT_EQ(answer->value().value(), 200U);
    }
    EXPECT_EQ(name_server().asked(known_), 1);
}

TEST_F(LookupTest, AnAnswerIsGoodForAWhile) {
    EXPECT_EQ(ask_anew(known_, {.fresh_for = 1h}).value(), 200U);
    EXPECT_EQ(ask_anew(known_, {.fresh_for = 1h}).value(), 200U);
    EXPECT_EQ(name_server().asked(known_), 1);
    EXPECT_EQ(ask_anew(known_, {.fresh_for = 0ms}).value(), 200U);
    EXPECT_EQ(name_server().asked(known_), 2);
}

TEST_F(LookupTest, TheLastGoodAddressIsUsedWhileOneIsSlow) {
    EXPECT_EQ(ask_anew(known_, {}).value(), 200U);
    name_server().set_silent(known_, true);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(ask_anew(known_, {.fresh_for = 0ms, .patience = 1ms}).value(), 200U);
    EXPECT_TRUE(name_server().await_under_way(1));
    EXPECT_EQ(name_server().asked(known_), 2);
}

TEST_F(LookupTest, TheLastGoodAddressIsUsedAfterOneThatFailed) {
    EXPECT_EQ(ask_anew(known_, {}).value(), 200U);
    name_server().set(known_, "");
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(ask_anew(known_, {.fresh_for = 0ms, .patience = 1h}).value(), 200U);
    EXPECT_EQ(name_server().asked(known_), 4);
}

TEST_F(LookupTest, AnAddressWhereNobodyListensIsLookedUpAgain) {
    name_server().set(known_, "127.0.0.3");
    EXPECT_EQ(ask_anew(known_, {.fresh_for = 1h}).error(), Errc::unreachable);
    name_server().set(known_, "127.0.0.1");
    EXPECT_EQ(ask_anew(known_, {.fresh_for = 1h, .patience = 1h}).value(), 200U);
}

TEST_F(LookupTest, OneThatFailsSaysSoAndTheNextCallTriesAgain) {
    name_server().set(known_, "");
    EXPECT_EQ(ask_anew(known_, {}).error(), Errc::unresolved);
    name_server().set(known_, "127.0.0.1");
    EXPECT_EQ(ask_anew(known_, {}).value(), 200U);
}

TEST_F(LookupTest, OneThatTakesTooLongEndsWithTheTimeToConnectAndItsAnswerIsUsedLater) {
    name_server().set_silent(known_, true);
    const auto client = client_of(known_, {.connect_timeout = 1ms, .lookup = {.fresh_for = 1h}});
    EXPECT_EQ(ask(*client).error(), Errc::unresolved);
    EXPECT_EQ(ask(*client).error(), Errc::unresolved);
    name_server().set_silent(known_, false);
    EXPECT_TRUE(name_server().await_under_way(0));
    EXPECT_EQ(ask_anew(known_, {.fresh_for = 1h}).value(), 200U);
    EXPECT_EQ(name_server().asked(known_), 1);
}

TEST_F(LookupTest, TheLoopEndsWhileOneHangs) {
    name_server().set_silent(known_, true);
    {
        const auto client = client_of(known_);
        send(*client);
        io_->poll();
        EXPECT_TRUE(name_server().await_under_way(1));
    }
    io_.reset();
    // The answer comes to nobody; the thread ends with the test.
}

}  // namespace
}  // namespace twophase::http
