// Surroundings turned by hand: a clock that stands still, and calls that a test answers.
#pragma once

#include "recovery/surroundings.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace twophase::recovery::testing {

class ManualSurroundings : public Surroundings {
public:
    struct Sent {
        http::Call call;
        Peer::Done done;
        std::string to;  // the endpoint
    };

    Time now() const override { return now_; }
    std::int64_t wall_microseconds() const override { return 1'720'699'775'584'000; }
    std::uint64_t random() override { return 4; }
    void post(std::function<void()> function) override { function(); }
    std::unique_ptr<Alarm> alarm() override { return std::make_unique<ManualAlarm>(*this); }
    std::unique_ptr<Peer> peer(const http::Endpoint& endpoint, std::size_t) override {
        return std::make_unique<ManualPeer>(*this, endpoint.text());
    }

    /// Lets time go by; every alarm rings at its time.
    void pass(Time time) {
        const Time end = now_ + time;
        while (ManualAlarm* next = next_until(end)) {
            now_ = std::max(now_, *next->at);
            next->at.reset();
            const auto ring = next->ring;
            ring();
        }
        now_ = end;
    }

    /// The call that left first and was not answered yet is answered with `status`; 0: nobody is
    /// there.
    void answer(unsigned status, std::string retry_after = {}) {
        const Sent sent = std::move(calls.front());
        calls.pop_front();
        if (status == 0) return sent.done(http::Errc::unreachable);
        http::Response response;
        response.status = status;
        if (!retry_after.empty())
            response.headers.push_back({"Retry-After", std::move(retry_after)});
        sent.done(std::move(response));
    }

    std::deque<Sent> calls;  // under way
    bool is_closed = false;

private:
    struct ManualAlarm : Alarm {
        explicit ManualAlarm(ManualSurroundings& the_surroundings) : around(the_surroundings) {
            around.alarms_.insert(this);
        }
        ~ManualAlarm() override { around.alarms_.erase(this); }
        void set(Time when, std::function<void()> then) override {
            at = when;
            ring = std::move(then);
        }
        void cancel() override {
            at.reset();
            ring = nullptr;  // it may hold on to this alarm's owner
        }
        ManualSurroundings& around;
        std::optional<Time> at;
        std::function<void()> ring;
    };
    struct ManualPeer : Peer {
        ManualPeer(ManualSurroundings& the_surroundings, std::string the_endpoint)
            : around(the_surroundings), endpoint(std::move(the_endpoint)) {}
        void send(http::Call call, std::chrono::milliseconds, Done done) override {
            around.calls.push_back({std::move(call), std::move(done), endpoint});
        }
        void close() override { around.is_closed = true; }
        ManualSurroundings& around;
        std::string endpoint;
    };

    ManualAlarm* next_until(Time end) {
        ManualAlarm* next = nullptr;
        for (ManualAlarm* alarm : alarms_)
            if (alarm->at && *alarm->at <= end && (!next || *alarm->at < *next->at)) next = alarm;
        return next;
    }

    Time now_{1'000};
    std::set<ManualAlarm*> alarms_;
};

}  // namespace twophase::recovery::testing
