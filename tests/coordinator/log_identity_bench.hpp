// The service with participants that say which log of it they know.
#pragma once

#include "coordinator/comparison_api.hpp"
#include "coordinator/log_api.hpp"
#include "tests/coordinator/turned_service.hpp"
#include "wal/store.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace twophase::coordinator {

namespace fs = std::filesystem;

inline wal::Token fresh() { return wal::draw_token(wal::system_random); }

/// A participant as ours are: it gives back what it has heard, and takes a log that claims to be
/// its coordinator's when it knows none, or one that the other replaces.
struct Speaking {
    std::optional<Seen> known;
    Seen store{.log = fresh(), .epoch = 1, .start = fresh(), .position = 10, .replaces = {}};
    bool is_away = false;
    bool takes_claims = true;
    std::vector<Json> listed;
    int strays = 0;  // so many lists are answered with what was meant for somebody else
    int questions = 0;
};

inline Json json_of(const Seen& seen) {
    Json replaces = Json::array();
    for (const wal::Token& each : seen.replaces) replaces.push_back(to_text(each));
    return {{"log", to_text(seen.log)},
            {"epoch", seen.epoch},
            {"start", to_text(seen.start)},
            {"position", seen.position},
            {"began_at", seen.began_at},
            {"replaces", replaces}};
}

inline std::string query_value(const std::string& target, const std::string& name) {
    const std::size_t at = target.find("&" + name + "=");
    if (at == std::string::npos) return "";
    const std::size_t from = at + name.size() + 2;
    return target.substr(from, target.find('&', from) - from);
}

class LogIdentityTest : public TurnedService {
protected:
    LogIdentityTest() {
        introduce_ = [this](const std::string& name, const std::string& target) {
            return introduction_of(name, target);
        };
        crash();
        fs::remove_all(config_.data);
    }
    ~LogIdentityTest() override {
        if (!service_) start();  // the fixture ends one
        fs::remove_all(copy());
    }

    fs::path copy() const { return fs::path(config_.data).concat("-copy"); }
    Speaking& credit() { return participants_["credit"]; }
    Speaking& coupon() { return participants_["coupon"]; }

    /// A first start that everybody listens to.
    void begin() {
        start();
        hear();
        ASSERT_EQ(service_->log_state(), LogState::open);
        for (auto& [name, participant] : participants_) ASSERT_TRUE(participant.known) << name;
    }
    void restart() {
        end();
        start();
        hear();
    }
    void end() {
        crash();
        service_.reset();
    }
    Gid commit(const std::string& id) {
        const Gid gid = submit(id).gid;
        finish();
        EXPECT_EQ(service_->inquire(gid), Verdict::commit) << id;
        note_position();
        return gid;
    }
    /// What every participant has heard by now.
    void note_position() {
        for (auto& [name, participant] : participants_)
            if (!participant.is_away) participant.known = here();
    }
    Seen here() const {
        const LogGuard::Own& own = service_->guard().own();
        return {.log = own.log,
                .epoch = own.epoch,
                .start = own.start,
                .position = service_->position(),
                .replaces = own.replaces};
    }
    /// As here(), by somebody who has heard of one batch more.
    Seen one_further() const {
        Seen more = here();
        more.position += 1;
        return more;
    }
    /// A participant's question, with what it has seen of this log.
    static http::Request asked_by(const Seen& seen) {
        http::Request request{.method = "GET"};
        request.query = {{"nonce", "1"},
                         {"participant", "credit"},
                         {"log", to_text(seen.log)},
                         {"epoch", std::to_string(seen.epoch)},
                         {"start", to_text(seen.start)},
                         {"position", std::to_string(seen.position)}};
        return request;
    }
    /// Branch messages that wait to be answered.
    std::size_t messages() const {
        return static_cast<std::size_t>(std::ranges::count_if(
            around_.calls, [](const auto& sent) { return sent.call.method == "POST"; }));
    }
    std::string held_for(const std::string& name) const {
        for (const LaneStatus& lane : service_->lanes())
            if (lane.participant == name) return lane.held_for;
        return "?";
    }
    /// Copies the log as it is now, as cp would.
    void take_copy() {
        fs::remove_all(copy());
        fs::copy(config_.data, copy());
    }
    /// Puts the copy where the log was.
    void put_copy() {
        end();
        fs::remove_all(config_.data);
        fs::copy(copy(), config_.data);
    }
    /// A lost transaction's branch, as credit lists it.
    static Json listed(const Gid& gid, const std::string& state, const std::string& id) {
        return {{"gid", to_text(gid)},
                {"branch_id", "credit"},
                {"state", state},
                {"operation", "do"},
                {"business_code", "order"},
                {"business_id", id}};
    }
    bool accept(const std::set<std::string>& left_out = {}) {
        bool is_done = false;
        const auto accepting =
            service_->accept(left_out, "ann", "a test", [&](wal::Written) { is_done = true; });
        run();
        hear();
        return accepting == Service::Accepting::accepted && is_done;
    }
    http::Response log_status() const { return show_log(*service_); }

    std::map<std::string, Speaking> participants_{{"credit", {}}, {"coupon", {}}};

private:
    http::Result<http::Response> introduction_of(const std::string& name,
                                                 const std::string& target) {
        Speaking& participant = participants_.at(name);
        if (participant.is_away) return http::Errc::unreachable;
        Json answer{{"items", Json::array()}, {"next", nullptr}};
        if (target.starts_with("/list"))
            answer["items"] = participant.listed;
        else
            ++participant.questions;
        const std::string claim = query_value(target, "log");
        if (!claim.empty() && participant.takes_claims && service_->may_be_listened_to()) {
            const Seen now = here();
            EXPECT_EQ(claim, to_text(now.log));
            const bool is_start_meant = !query_value(target, "start").empty();
            if (!participant.known || now.does_replace(participant.known->log) || is_start_meant)
                participant.known = now;
        }
        answer["known"] = participant.known ? json_of(*participant.known) : Json();
        answer["configured"] = true;
        answer["store"] = json_of(participant.store);
        answer["nonce"] = query_value(target, "nonce");
        if (target.starts_with("/list") && participant.strays > 0) {
            --participant.strays;
            answer["items"] = Json::array();
            answer["nonce"] = "of another question";
        }
        return http::Response{.body = answer.dump()};
    }
};

}  // namespace twophase::coordinator
