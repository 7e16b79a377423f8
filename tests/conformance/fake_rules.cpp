#include "tests/conformance/fake_rules.hpp"

#include <algorithm>

namespace twophase::conformance {

using Json = http::Json;
using Reply = FakeRules::Reply;

namespace {

bool begins(const std::string& verb) { return verb == "prepare" || verb == "execute"; }

bool is_id(const Json& message, const char* name, std::size_t least) {
    const auto found = message.find(name);
    if (found == message.end() || !found->is_string()) return false;
    const std::string text = found->get<std::string>();
    return text.size() >= least && text.size() <= 64 &&
           text.find_first_not_of(
               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
               "_-") == text.npos;
}

std::int64_t amount_of(const Json& payload) { return payload.at("amount").get<std::int64_t>(); }

Json ids(const Json& message) {
    Json body = Json::object();
    if (!message.is_object()) return body;
    for (const char* name : {"gid", "branch_id"})
        if (is_id(message, name, 1)) body[name] = message[name];
    return body;
}

bool replaces(const Json& claim, const std::string& log) {
    const Json all = claim.value("replaces", Json::array());
    return std::find(all.begin(), all.end(), log) != all.end();
}

}  // namespace

std::string FakeRules::key_of(const Json& message) const {
    const std::string gid = message.at("gid");
    return has("one-branch-a-gid") ? gid + "/"
                                   : gid + "/" + message.at("branch_id").get<std::string>();
}

Reply FakeRules::refuse(const Json& message, unsigned status, const std::string& code) const {
    Json body = ids(message);
    body["code"] = code;
    body["message"] = "it is so";
    if (has("refusal-without-code") && code == "refused") body.erase("code");
    return {status, std::move(body)};
}

Reply FakeRules::done(const Json& message, const std::string& state) {
    Json body = ids(message);
    body["state"] = state;
    if (has("rollback-says-aborted") && state == "rolled_back") body["state"] = "aborted";
    if (has("commit-says-done") && state == "committed") body["state"] = "done";
    if (state == "committed") body["result"] = {{"number", ++numbers_}};
    return {200, std::move(body)};
}

std::optional<Reply> FakeRules::misread(const std::string& verb, const Json& message) {
    const auto wrong = [&] { return refuse(message, 400, "invalid-field"); };
    if (!message.is_object() || !is_id(message, "gid", 16) || !is_id(message, "branch_id", 1) ||
        !is_id(message, "participant", 1) || !is_id(message, "coordinator", 1))
        return wrong();
    const Json epoch = message.value("epoch", Json());
    if (!epoch.is_number_unsigned() && !(has("guesses-epoch") && epoch.is_null()) &&
        !(has("epoch-as-text") && epoch.is_string()))
        return wrong();
    if (!begins(verb)) return std::nullopt;
    if (!message.contains("operation") || !message["operation"].is_string() ||
        !message.contains("payload") || !message["payload"].is_object())
        return wrong();
    return std::nullopt;
}

std::optional<Reply> FakeRules::fence(const std::string& verb, const Json& message) {
    const bool ignores_name =
        begins(verb) ? has("ignores-participant") : has("ignores-participant-at-end");
    if (message["participant"] != "fake" && !ignores_name)
        return refuse(message, 422, "wrong-participant");
    const std::string coordinator = message["coordinator"];
    if (begins(verb) && coordinator != "conformance" && !has("any-coordinator"))
        return refuse(message, 403, "unknown-coordinator");
    if (coordinator == "conformance")
        if (auto reply = fence_log(verb, message)) return reply;
    if (has("epoch-at-prepare-only") && !begins(verb)) return std::nullopt;
    std::uint64_t& highest = epochs_[coordinator];
    const Json epoch = message.value("epoch", Json());
    const std::uint64_t told = epoch.is_number_unsigned() ? epoch.get<std::uint64_t>() : highest;
    const bool is_fenced = !(has("prepares-stale") && verb == "prepare") &&
                           !(has("commits-stale") && verb == "commit") &&
                           !(has("rolls-back-stale") && verb == "rollback") &&
                           !(has("executes-stale") && verb == "execute") &&
                           !(has("compensates-stale") && verb == "compensate");
    if (told < highest && is_fenced) {
        if (has("stale-tombstone") && verb == "rollback") end_unknown(verb, message);
        return refuse(message, 409, "stale_epoch");
    }
    if (!log_.empty() && coordinator == "conformance") {
        const std::string start = message.value("start", "");
        if (told == highest && start != log_["start"] && !has("twin-starts"))
            return refuse(message, 409, "stale_epoch");
        log_["start"] = start;
        log_["position"] = message.value("position", 0);
    }
    highest = std::max(highest, told);
    return std::nullopt;
}

bool FakeRules::obeys_other_log(const std::string& verb, const std::string& log) const {
    if (log.empty()) return has("takes-without-log");
    return (has("prepares-for-other-log") && verb == "prepare" && !log_.empty()) ||
           (has("ends-for-other-log") && !begins(verb) && !log_.empty()) ||
           (has("restart-forgets-log") && restarts_ > 0) ||
           (has("keeps-predecessor") && log == log_before_);
}

std::optional<Reply> FakeRules::fence_log(const std::string& verb, const Json& message) {
    const std::string told = message.value("log", "");
    const std::string known = log_.value("log", "");
    if (told == known || has("ignores-logs") || obeys_other_log(verb, told)) return std::nullopt;
    const bool may_be_taken = !told.empty() && (known.empty() || replaces(message, known));
    if (may_be_taken && has("pins-unconfirmed")) {
        take_log(message);
        return std::nullopt;
    }
    if (may_be_taken) return refuse(message, 503, "unconfirmed-log");
    Reply other = refuse(message, 409, "other_log");
    other.body["log"] = known;
    if (!has("other-log-unnamed")) other.body["told_log"] = told;
    return other;
}

void FakeRules::take_log(const Json& identity) {
    const std::string known = log_.value("log", "");
    if (identity["log"] == known || (!known.empty() && !replaces(identity, known))) return;
    if (!known.empty() && has("refuses-successor")) return;
    log_before_ = known;
    log_ = {{"log", identity["log"]},
            {"start", identity["start"]},
            {"position", identity["position"]},
            {"replaces", identity.value("replaces", Json::array())}};
    epochs_["conformance"] = identity["epoch"].get<std::uint64_t>();
}

Reply FakeRules::handle(const std::string& verb, const Json& message) {
    if (auto reply = misread(verb, message)) return *reply;
    if (auto reply = fence(verb, message)) return *reply;
    const auto found = branches_.find(key_of(message));
    const bool is_for_known = found != branches_.end() && !has("full-forgets");
    if (is_full_ && begins(verb) && !is_for_known) return no_room(message);
    if (is_full_ && verb == "commit" && has("full-commits-not")) return no_room(message);
    if (begins(verb)) return begin(verb, message);
    if (is_full_ && found == branches_.end() && has("full-ends-not")) return no_room(message);
    if (found == branches_.end()) return end_unknown(verb, message);
    if (verb == "compensate") return compensate(message, found->second);
    return end(verb, message, found->second);
}

Reply FakeRules::no_room(const Json& message) const {
    Reply reply = refuse(message, 503, "no-room");
    if (!has("full-says-less")) reply.body["written"] = false;
    return reply;
}

Reply FakeRules::begin(const std::string& verb, const Json& message) {
    const auto found = branches_.find(key_of(message));
    if (found == branches_.end()) return begin_anew(verb, message);
    Stored& branch = found->second;
    const bool is_over = branch.state == "rolled_back" || branch.state == "compensated";
    const bool is_forgotten =
        (has("forgets-tombstones") && verb == "prepare" && branch.operation.is_null()) ||
        (has("late-execute-runs") && verb == "execute" && branch.operation.is_null()) ||
        (has("prepares-rolled-back") && is_over && branch.operation.is_string());
    if (is_over && is_forgotten) return begin_anew(verb, message);
    if (is_over) return refuse(message, 409, "already_rolled_back");
    if (has("prepares-again-after-commit") && branch.state == "committed")
        return begin_anew(verb, message);
    return repeat(verb, message, branch);
}

Reply FakeRules::repeat(const std::string& verb, const Json& message, Stored& branch) {
    if (has("compares-epoch") && branch.epoch != message["epoch"])
        return refuse(message, 422, "payload-changed");
    const bool is_changed =
        (branch.operation != message["operation"] && !has("ignores-operation")) ||
        branch.payload != message["payload"];
    if (is_changed && has("changed-payload-holds")) held_ += 1;
    if (is_changed && has("changed-payload-drops")) {
        branches_.erase(key_of(message));
        return refuse(message, 422, "payload-changed");
    }
    const bool is_taken = (has("accepts-changed-payload") && verb == "prepare") ||
                          (has("execute-changed") && verb == "execute") ||
                          (has("restart-forgets-payloads") && restarts_ > 0);
    if (is_changed && !is_taken) return refuse(message, 422, "payload-changed");
    if (has("holds-at-repeat")) held_ += 1;
    if ((has("new-id-at-repeat") && verb == "prepare") ||
        (has("executes-anew") && verb == "execute"))
        branch.yes["prepare_id"] = "p" + std::to_string(++numbers_);
    return {200, branch.yes};
}

Reply FakeRules::begin_anew(const std::string& verb, const Json& message) {
    const std::string key = key_of(message);
    const auto& payload = message["payload"];
    const bool is_meant = payload.contains("amount") && payload["amount"].is_number_unsigned();
    const bool was_refused = refused_.contains(key);
    if ((has("remembers-refusals") && verb == "prepare" && was_refused) ||
        (has("execute-remembers-refusals") && verb == "execute" && was_refused))
        return refuse(message, 409, "refused");
    if (!is_meant || message["operation"] != "take") return refuse(message, 422, "invalid-payload");
    const std::int64_t amount = amount_of(payload);
    if (amount > free_ - held_) {
        refused_.insert(key);
        if (has("refusal-holds")) held_ += 1;
        if (has("refusal-in-doubt"))
            branches_[key] = {.state = "prepared", .operation = "take", .payload = {{"amount", 0}}};
        return refuse(message, 409, "refused");
    }
    Json yes = ids(message);
    yes["vote"] = verb == "prepare" || has("execute-says-prepared") ? "prepared" : "executed";
    yes["prepare_id"] = "p" + std::to_string(++numbers_);
    if (has("vote-not-echoed")) yes.erase("branch_id");
    const bool is_prepare = verb == "prepare" || has("execute-in-doubt");
    (is_prepare ? held_ : free_) += is_prepare ? amount : -amount;
    branches_[key] = {.state = is_prepare ? "prepared" : "executed",
                      .operation = message["operation"],
                      .payload = payload,
                      .epoch = message.value("epoch", Json()).is_number_unsigned()
                                   ? message["epoch"].get<std::uint64_t>()
                                   : 0,
                      .age = ++clock_,
                      .yes = yes,
                      .end = {}};
    return {200, std::move(yes)};
}

Reply FakeRules::end_unknown(const std::string& verb, const Json& message) {
    const std::string key = key_of(message);
    Stored tombstone{.state = verb == "compensate" ? "compensated" : "rolled_back"};
    if (verb == "commit") {
        if (has("commits-unknown")) return done(message, "committed");
        if (has("commit-leaves-tombstone")) branches_[key] = tombstone;
        return refuse(message, 404, "never_prepared");
    }
    if (has("rollback-unknown-404") && verb == "rollback")
        return refuse(message, 404, "never_prepared");
    if (has("compensate-unknown-404") && verb == "compensate")
        return refuse(message, 404, "never_prepared");
    if (has("rollback-of-refused-404") && refused_.contains(key))
        return refuse(message, 404, "never_prepared");
    branches_[key] = tombstone;
    return done(message, tombstone.state);
}

Reply FakeRules::end(const std::string& verb, const Json& message, Stored& branch) {
    const std::string wanted = verb == "commit" ? "committed" : "rolled_back";
    if (has("needs-prepare-id") && verb == "commit" && !message.contains("prepare_id"))
        return refuse(message, 422, "wrong-prepare-id");
    if (has("restart-refuses-commit") && restarts_ > 0 && branch.state == "prepared")
        return refuse(message, 422, "wrong-prepare-id");
    if (branch.state == wanted) {
        if (has("rollback-repeat-404") && verb == "rollback" && branch.operation.is_string())
            return refuse(message, 404, "never_prepared");
        if (has("deducts-at-repeat") && verb == "commit") free_ -= 1;
        if (has("commit-repeat-differs") && verb == "commit") return done(message, wanted);
        return verb == "commit" ? Reply{200, branch.end} : done(message, wanted);
    }
    if (has("commit-of-tombstone-404") && verb == "commit" && branch.operation.is_null())
        return refuse(message, 404, "never_prepared");
    const bool gives_in = (has("commits-rolled-back") && branch.state == "rolled_back" &&
                           branch.operation.is_string()) ||
                          (has("rolls-back-committed") && branch.state == "committed");
    if (branch.state != "prepared" && !gives_in)
        return refuse(message, 409, "already_" + branch.state);
    const std::int64_t amount = amount_of(branch.payload);
    if (!has("keeps-holds") || verb == "commit") held_ -= amount;
    if (verb == "commit") free_ -= amount;
    branch.state = wanted;
    branch.end = done(message, wanted).body;
    return {200, branch.end};
}

Reply FakeRules::compensate(const Json& message, Stored& branch) {
    if (branch.state == "compensated") {
        if (has("compensate-repeat-409")) return refuse(message, 409, "already_rolled_back");
        if (has("compensates-twice") && branch.operation.is_string()) free_ += 1;
        return done(message, "compensated");
    }
    if (branch.operation.is_string()) free_ += amount_of(branch.payload);
    branch.state = "compensated";
    return done(message, "compensated");
}

Json FakeRules::in_doubt(const std::string& coordinator,
                         std::optional<std::int64_t> prepared_before,
                         const std::string& after,
                         std::size_t limit,
                         const std::string& nonce) const {
    Json items = Json::array();
    Json next;
    const bool is_other = !coordinator.empty() && coordinator != "conformance";
    for (const auto& [key, branch] : branches_) {
        const bool is_listed = branch.state == "prepared" ||
                               (has("lists-committed") && branch.state == "committed") ||
                               (has("lists-rolled-back") && branch.state == "rolled_back");
        if (!is_listed || (!has("cursor-stands-still") && key <= after)) continue;
        if (has("lists-nothing") || (has("restart-empty-list") && restarts_ > 0)) continue;
        if (is_other && !has("ignores-coordinator-filter")) continue;
        if (prepared_before && branch.age >= *prepared_before && !has("ignores-age")) continue;
        if (items.size() == limit && !has("ignores-limit")) {
            if (!has("first-page-only"))
                next = items.back()["gid"].get<std::string>() + "/" +
                       items.back()["branch_id"].get<std::string>();
            break;
        }
        const std::size_t slash = key.find('/');
        items.push_back({{"gid", key.substr(0, slash)}, {"branch_id", key.substr(slash + 1)}});
    }
    Json page{{"items", std::move(items)}, {"next", std::move(next)}};
    if (has("ignores-logs")) return page;
    page["known"] = log_.empty() ? Json() : log_;
    if (!log_.empty()) page["known"]["epoch"] = epoch();
    page["configured"] = !is_other;
    page["store"] = {{"log", std::string(32, 'a')},
                     {"epoch", restarts_},
                     {"start", std::string(32, 'b')},
                     {"position", clock_}};
    page["nonce"] = has("nonce-not-echoed") ? "" : nonce;
    return page;
}

void FakeRules::restart() {
    ++restarts_;
    if (has("restart-forgets-epochs")) epochs_.clear();
    const auto newest =
        std::ranges::max_element(branches_, {}, [](const auto& entry) { return entry.second.age; });
    if (has("restart-loses-the-last") && restarts_ == 2 && newest != branches_.end())
        branches_.erase(newest);
    if (has("restart-forgets-answers"))
        for (auto& [key, branch] : branches_)
            if (branch.yes.is_object()) branch.yes.erase("prepare_id");
    std::erase_if(branches_, [&](const auto& entry) {
        const Stored& branch = entry.second;
        const bool is_tombstone = branch.operation.is_null();
        return (has("restart-loses-prepared") && branch.state == "prepared") ||
               (has("restart-forgets-committed") && branch.state == "committed") ||
               (has("restart-forgets-rolled-back") && branch.state == "rolled_back" &&
                !is_tombstone) ||
               (has("restart-forgets-tombstones") && branch.state == "rolled_back" &&
                is_tombstone) ||
               (has("restart-forgets-executed") && branch.state == "executed");
    });
}

std::string FakeRules::observe() const {
    return std::to_string(free_) + "/" + std::to_string(held_);
}

std::uint64_t FakeRules::epoch() const {
    const auto found = epochs_.find("conformance");
    return found == epochs_.end() ? 0 : found->second;
}

void FakeRules::put_back(const std::string& key, const std::optional<Stored>& seen) {
    if (seen)
        branches_[key] = *seen;
    else
        branches_.erase(key);
}

}  // namespace twophase::conformance
