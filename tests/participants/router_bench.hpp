// Credit's routes over a real store, with loop, writer and clock turned by hand: nothing happens
// until run() or pass(), so that a test sees every moment in between, and a crash in each.
#pragma once

#include "participants/branches.hpp"
#include "participants/credit/credit.hpp"
#include "recovery/surroundings.hpp"
#include "tests/participants/bench.hpp"
#include "tests/participants/running.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace twophase::participants::testing {

/// A loop and a steady clock that stand still by themselves.
class ManualMachine : public recovery::Surroundings {
public:
    recovery::Time now() const override { return now_; }
    std::int64_t wall_microseconds() const override { return 1'720'699'775'584'000; }
    std::uint64_t random() override { return 4; }
    void post(std::function<void()> function) override { posted_.push_back(std::move(function)); }
    std::unique_ptr<recovery::Alarm> alarm() override;
    std::unique_ptr<recovery::Peer> peer(const http::Endpoint&, std::size_t) override;

    /// Runs what was posted; false when nothing was.
    bool run_posted();
    /// Moves the clock to the next alarm, at most to `end`, and rings it; false at `end`.
    bool ring_next(recovery::Time end);

private:
    class ManualAlarm;
    recovery::Time now_{1'000};
    std::deque<std::function<void()>> posted_;
    std::set<ManualAlarm*> alarms_;
};

/// An answer that is there once the bench has got so far.
class Pending {
public:
    bool is_there() const { return reply_->has_value(); }
    const Reply& reply() const { return reply_->value(); }
    unsigned status() const { return is_there() ? reply().status : 0; }

private:
    friend class RouterBench;
    std::shared_ptr<std::optional<Reply>> reply_ = std::make_shared<std::optional<Reply>>();
};

class RouterBench {
public:
    RouterBench();
    ~RouterBench();
    RouterBench(const RouterBench&) = delete;
    RouterBench& operator=(const RouterBench&) = delete;

    /// Ends everything; what was not committed is lost. start() goes on from the store.
    void crash();
    void start();
    /// A consistent copy of the store, and a start out of it.
    void back_up();
    void restore();

    /// Hands a request to the router. A null body is none.
    Pending ask(const std::string& method,
                const std::string& path,
                const http::Json& body = nullptr,
                std::vector<http::Header> headers = {});
    /// Commits and answers until nothing is left to do.
    void run();
    /// ask() and run(); the answer must be there.
    Reply call(const std::string& method,
               const std::string& path,
               const http::Json& body = nullptr,
               std::vector<http::Header> headers = {});
    /// Lets time go by: every alarm at its time, then run().
    void pass(std::chrono::milliseconds time);
    void stop() { kind_->stop(); }

private:
    struct Running;
    Moment moment() const;

    TemporaryDirectory directory_;
    ManualMachine machine_;
    std::unique_ptr<credit::CreditKind> kind_;
    std::unique_ptr<Running> running_;
};

}  // namespace twophase::participants::testing
