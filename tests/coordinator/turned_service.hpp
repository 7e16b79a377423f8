// A coordinator's Service with participants, clocks, loop and writer that a test turns by hand.
#pragma once

#include "coordinator/service.hpp"
#include "http/json.hpp"
#include "tests/recovery/manual_surroundings.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdlib.h>
#include <string>
#include <utility>
#include <vector>

namespace twophase::coordinator {

using namespace std::chrono_literals;
using http::Json;

/// A loop, a writer and two clocks that stand still until they are turned.
class Turned : public recovery::testing::ManualSurroundings {
public:
    std::int64_t wall_microseconds() const override {
        return ManualSurroundings::wall_microseconds() + now().count() * 1'000 + wall_error;
    }
    std::int64_t wall_error = 0;  // microseconds
    void post(std::function<void()> function) override { posted_.push_back(std::move(function)); }
    wal::StoreOptions store_options() const override {
        wal::StoreOptions options;
        options.is_stepped = true;
        options.any_filesystem = true;
        return options;
    }
    /// What waits holds on to who asked for it.
    void forget() {
        posted_.clear();
        calls.clear();
    }
    bool run_posted() {
        if (posted_.empty()) return false;
        const auto function = std::move(posted_.front());
        posted_.pop_front();
        function();
        return true;
    }

private:
    std::deque<std::function<void()>> posted_;
};

/// What a participant says to a message about one branch: its status and the members beside gid and
/// branch_id. Status 0: nobody is there.
struct Said {
    unsigned status = 200;
    Json members;
};
using Participant = std::function<Said(const std::string& verb, const Json& message)>;

inline Said agrees(const std::string& verb, const Json&) {
    if (verb == "prepare") return {200, {{"vote", "prepared"}}};
    if (verb == "execute") return {200, {{"vote", "executed"}}};
    return {200, {{"state", verb == "commit" ? "committed" : "rolled_back"}}};
}

inline Said refuses_coupons(const std::string& verb, const Json& message) {
    if (verb != "prepare" || message["participant"] != "coupon") return agrees(verb, message);
    return {409, {{"code", "refused"}, {"message", "sold out"}, {"reason", "sold_out"}}};
}

inline Config two_participants() {
    Config config;
    config.map_bytes = std::size_t{1} << 26;
    for (const char* name : {"credit", "coupon"})
        config.participants[name] = {
            .endpoint = http::Endpoint::parse(std::string("http://127.0.0.1:1/") + name).value(),
            .takes_arrays = true};
    return config;
}

class TurnedService : public testing::Test {
protected:
    TurnedService() {
        std::string folder = (std::filesystem::temp_directory_path() / "service-XXXXXX").string();
        assert(::mkdtemp(folder.data()) != nullptr);
        config_.data = folder;
        start();
    }
    ~TurnedService() override {
        crash();
        std::filesystem::remove_all(config_.data);
    }

    void start() {
        service_ = std::make_unique<Service>(
            around_, config_, [this](int code, const std::string& why) { stopped_(code, why); });
        service_->open();
        service_->start();
        run();
    }
    /// What is not durable is lost.
    void crash() {
        service_->stop();
        around_.forget();
        service_.reset();
    }

    Admitted submit(const std::string& id,
                    Mode mode = Mode::two_phase,
                    std::optional<std::uint32_t> max_retries = std::nullopt) {
        Submission submission{.mode = mode,
                              .key = {.code = "order", .id = id},
                              .vote_timeout = mode == Mode::two_phase ? 5'000ms : 0ms};
        for (const char* name : {"credit", "coupon"})
            submission.branches.push_back({.branch_id = name,
                                           .participant = name,
                                           .operation = "do",
                                           .payload = "{}",
                                           .max_retries = max_retries});
        return service_->submit(std::move(submission));
    }

    /// One branch for each of these participants.
    Admitted submission_of(const std::vector<const char*>& participants,
                           const std::string& id,
                           std::uint32_t attempt = 1) {
        Submission submission{.key = {.code = "order", .id = id, .attempt = attempt},
                              .vote_timeout = 5'000ms};
        for (const char* name : participants)
            submission.branches.push_back(
                {.branch_id = name, .participant = name, .operation = "do", .payload = "{}"});
        return service_->submit(std::move(submission));
    }

    /// Commits and posts until nothing is left to do; calls wait for answer().
    void run() {
        while (service_->log().store().step(4'096) > 0 || around_.run_posted()) {
        }
    }
    /// Answers every call that waits now.
    void answer(const Participant& participant = agrees) {
        auto calls = std::exchange(around_.calls, {});
        for (auto& sent : calls) {
            const std::string name = sent.to.substr(sent.to.rfind('/') + 1);
            sent.done(answer_to(name, sent.call, participant));
        }
        run();
    }
    /// Answers the questions of a start, until nobody is asked any more.
    void hear() {
        const auto is_question = [](const auto& sent) { return sent.call.method == "GET"; };
        run();
        while (std::ranges::any_of(around_.calls, is_question)) answer();
    }
    void pass(recovery::Time time) {
        around_.pass(time);
        run();
    }
    /// Until nobody waits for an answer.
    void finish(const Participant& participant = agrees) {
        run();
        while (!around_.calls.empty()) answer(participant);
    }

    /// What participants answer to the question that comes before all else, by their name and its
    /// target: a participant of others at first, which knows no such question.
    std::function<http::Result<http::Response>(const std::string& participant,
                                               const std::string& target)>
        introduce_ = [](const std::string&, const std::string& target) {
            if (target.starts_with("/list")) return http::Response{.status = 404};
            return http::Response{.body = R"({"items":[],"next":null})"};
        };
    /// Headers that come with the answers to branch messages.
    std::function<std::vector<http::Header>(const std::string& participant)> headers_;
    Turned around_;
    Config config_ = two_participants();
    Service::Stop stopped_ = [](int, const std::string& why) { ADD_FAILURE() << why; };
    std::unique_ptr<Service> service_;

private:
    http::Result<http::Response> answer_to(const std::string& name,
                                           const http::Call& call,
                                           const Participant& participant) {
        if (call.method == "GET") return introduce_(name, call.target);
        const std::vector<http::Header> headers =
            headers_ ? headers_(name) : std::vector<http::Header>();
        const std::string verb = call.target.substr(1);
        const Json body = Json::parse(call.body);
        Json answers = Json::array();
        for (const Json& message : body.is_array() ? body : Json::array({body})) {
            const Said said = participant(verb, message);
            if (said.status == 0) return http::Errc::unreachable;
            Json one = said.members;
            one["gid"] = message["gid"];
            one["branch_id"] = message["branch_id"];
            if (!body.is_array())
                return http::Response{
                    .status = said.status, .body = one.dump(), .headers = headers};
            one["status"] = said.status;
            answers.push_back(std::move(one));
        }
        return http::Response{.body = answers.dump(), .headers = headers};
    }
};

}  // namespace twophase::coordinator
