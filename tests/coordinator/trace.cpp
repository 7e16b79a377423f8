#include "tests/coordinator/trace.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

namespace twophase::coordinator {

Trace::Trace(Mode mode, std::vector<BranchRequest> branches, Time timeout)
    : mode_(mode), branches_(std::move(branches)), timeout_(timeout) {
    for (BranchRequest& branch : branches_) {
        branch.participant = branch.branch_id;
        participants_.emplace_back(branch.branch_id);
    }
}

Gid Trace::gid(const std::string& name) const {
    Gid gid{};
    gid[6] = 0x70;
    gid[8] = 0x80;
    gid[5] = static_cast<std::uint8_t>(std::stoi(name.substr(1)));
    return gid;
}

BranchIndex Trace::index(const std::string& participant) const {
    const auto found = std::ranges::find(participants_, participant);
    return static_cast<BranchIndex>(found - participants_.begin());
}

Trace& Trace::submit(const std::string& name, bool is_start_awaited, std::uint32_t attempt) {
    Started started{.gid = gid(name), .mode = mode_, .key = {"order", name, attempt}};
    started.branches = branches_;
    if (mode_ != Mode::two_phase && timeout_ > Time{0})
        started.timeout_milliseconds = static_cast<std::uint64_t>(timeout_.count());
    if (branches_.empty())
        for (const std::string& participant : participants_)
            started.branches.push_back({.branch_id = participant,
                                        .participant = participant,
                                        .operation = "do",
                                        .payload = "{}"});
    step(Submitted{started, timeout_, is_start_awaited});
    return *this;
}

Trace& Trace::sync() { return sync_some(queued_.size()); }

Trace& Trace::sync_some(std::size_t records) {
    for (; records > 0; --records) {
        const Record record = queued_.front();
        queued_.pop_front();
        durable_.push_back(record);
        step(Logged{record});
    }
    return *this;
}

Trace& Trace::refuse() {
    while (!queued_.empty()) {
        const Gid refused = gid_of(queued_.front());
        queued_.pop_front();
        step(Unlogged{refused});
    }
    return *this;
}

Trace& Trace::vote(const std::string& name,
                   const std::string& participant,
                   Vote vote,
                   std::string code) {
    step(Voted{gid(name), index(participant), {.vote = vote, .code = std::move(code)}});
    return *this;
}

Trace& Trace::acknowledge(const std::string& name, const std::string& participant, Verb verb) {
    step(Acknowledged{gid(name), index(participant), verb, {}});
    return *this;
}

Trace& Trace::unclear(const std::string& name, const std::string& participant, Verb verb) {
    step(Unclear{gid(name), index(participant), verb, 1, "cut"});
    return *this;
}

Trace& Trace::no_room(const std::string& name, const std::string& participant, Verb verb) {
    step(NoRoom{gid(name), index(participant), verb, 1, "full"});
    return *this;
}

Trace& Trace::contradict(const std::string& name, const std::string& participant, Verb verb) {
    step(Contradicted{gid(name), index(participant), verb, 1, "never_prepared", "unknown here"});
    return *this;
}

ResolveRefusal Trace::may_resolve(const std::string& name,
                                  const std::string& how,
                                  const std::string& participant) {
    ResolveAsked asked{gid(name), std::nullopt, how, "ann", "because"};
    if (!participant.empty()) asked.branch = index(participant);
    return core_.may_resolve(asked);
}

Trace& Trace::resolve(const std::string& name,
                      const std::string& how,
                      const std::string& participant) {
    ResolveAsked asked{gid(name), std::nullopt, how, "ann", "because"};
    if (!participant.empty()) asked.branch = index(participant);
    step(asked);
    return *this;
}

Trace& Trace::pass(Time time) {
    now_ += time;
    step(Ticked{});
    return *this;
}

Trace& Trace::crash(std::optional<std::string> restored_below) {
    queued_.clear();
    core_ = Protocol();
    for (const Record& record : durable_) EXPECT_EQ(core_.apply(record), "");
    std::optional<Gid> below;
    if (restored_below) below = gid(*restored_below);
    Effects effects;
    for (const auto& [gid, transaction] : core_.transactions())
        std::ranges::move(core_.resume(gid,
                                       now_,
                                       below && gid < *below ? Undecided::waits_for_operator
                                                             : Undecided::goes_on),
                          std::back_inserter(effects));
    note("crash", effects);
    return *this;
}

void Trace::step(const Event& event) { note(describe(event), core_.step(event, now_)); }

void Trace::note(std::string event, const Effects& effects) {
    std::string line = std::move(event);
    const char* separator = " -> ";
    for (const Effect& effect : effects) {
        line += separator + describe(effect);
        separator = "; ";
        if (const auto* append = std::get_if<Append>(&effect)) queued_.push_back(append->record);
    }
    text_ += named(line) + "\n";
}

/// Ids and branch numbers as the script names them.
std::string Trace::named(std::string text) const {
    for (int i = 9; i > 0; --i) {
        const std::string name = "t" + std::to_string(i);
        const std::string id = to_text(gid(name));
        for (auto at = text.find(id); at != std::string::npos; at = text.find(id))
            text.replace(at, id.size(), name);
    }
    for (BranchIndex i = 0; i < participants_.size(); ++i) {
        const std::string branch = "branch " + std::to_string(i);
        for (auto at = text.find(branch); at != std::string::npos; at = text.find(branch))
            text.replace(at, branch.size(), participants_[i]);
    }
    return text;
}

std::string Trace::text() { return std::exchange(text_, {}); }

}  // namespace twophase::coordinator
