// Transactions of a log that was lost or set back: listed by participants, settled by a person's
// word or by what their branches prove.
#include "coordinator/log_entries.hpp"
#include "coordinator/protocol/modes.hpp"
#include "coordinator/service.hpp"

#include <algorithm>
#include <utility>

namespace twophase::coordinator {
namespace {

constexpr std::size_t settled_at_once = 200;

std::string listed_name(const std::string& participant) { return "listed " + participant; }

}  // namespace

void Service::list_lost(const std::string& participant, bool is_final) {
    recovery::Peer* peer = lanes_.peer(participant);
    if (peer == nullptr || lost_list_->is_reading(participant)) return;
    if (is_final) being_listed_finally_.insert(participant);
    Gid from = guard_->lost_from();
    for (const auto& [gid, t] : core_.transactions())
        if (t.phase == Phase::held) {
            from = std::min(from, gid);
            break;  // the lowest: they are in order
        }
    lost_list_->begin(participant, *peer, from);
}

bool Service::is_of_a_lost_log(const wal::LostBranch& branch) const {
    if (node_of(branch.gid) != config_.node) return false;
    if (const Transaction* live = core_.find(branch.gid)) return live->phase == Phase::held;
    if (find(branch.gid).folded) return false;
    return !guard_->has_minted(branch.gid, mint_->next_at_least());
}

/// A step that nobody knew of when its transaction was settled: the lost log's message was under
/// way. It is undone like the others.
void Service::undo_if_left(const wal::LostBranch& branch) {
    if (branch.state != "executed" || node_of(branch.gid) != config_.node) return;
    const Found found = find(branch.gid);
    const Folded* known = found.live != nullptr ? &found.live->folded
                          : found.folded        ? &*found.folded
                                                : nullptr;
    if (known == nullptr || !found.damage.empty() || known->decision != Decision::rollback) return;
    const bool is_known = std::ranges::any_of(known->started.branches, [&](const auto& each) {
        return each.participant == branch.participant && each.branch_id == branch.branch_id;
    });
    if (is_known) return;
    const BranchKey key{branch.gid, branch.branch_id};
    left_[branch.participant].insert(key);
    lanes_.want(branch.participant, key, Verb::compensate, 0);
}

bool Service::is_listed(const std::string& participant) const {
    return guard_->own().replaces.empty() || listed_finally_.contains(participant) ||
           log_->store().number(listed_name(participant)) >= guard_->own().replaces.size();
}

void Service::listing_ended(const std::string& participant, bool has_list) {
    if (!has_list) listless_.insert(participant);
    listed_.insert(participant);
    if (being_listed_finally_.erase(participant) == 0) return;
    listed_finally_.insert(participant);
    if (!left_.contains(participant)) write_listed(participant);
    lanes_.ask_again();
}

/// It need not be listed again after a start.
void Service::write_listed(const std::string& participant) {
    wal::Store& own = log_->store();
    const std::uint64_t round = guard_->own().replaces.size();
    own.submit({.work =
                    [&own, participant, round](wal::Unit& unit) {
                        wal::Store::raise(unit, own, listed_name(participant), round);
                    },
                .then = {},
                .label = "listed"});
}

void Service::look_at_lost() { lowest_lost_ = log_->lowest_lost(); }

std::vector<LostTransaction> Service::lost(std::optional<Gid> after, std::size_t limit) const {
    std::vector<LostTransaction> all;
    for (wal::LostBranch& branch : log_->lost(after, limit)) {
        if (all.empty() || all.back().gid != branch.gid) all.push_back({.gid = branch.gid});
        all.back().branches.push_back(std::move(branch));
    }
    for (LostTransaction& each : all) each.proven = proven_by(each.branches);
    return all;
}

/// The lost transaction under this key that nobody has settled, if any.
std::optional<Gid> Service::lost_under(const BusinessKey& key) const {
    if (!lowest_lost_) return std::nullopt;
    const std::vector<Gid> gids = log_->lost_under(key.code, key.id);
    return gids.empty() ? std::nullopt : std::optional(gids.back());
}

/// The attempt behind all that are known: which one it was, the lost log alone knew. A rollback
/// takes none where the attempt before is not rolled back: the next attempt would be admitted.
BusinessKey Service::key_to_settle(const Gid& gid,
                                   Decision decision,
                                   const std::vector<wal::LostBranch>& branches) const {
    const BusinessKey unknown{.code = unknown_code, .id = to_text(gid)};
    const auto named = std::ranges::find_if(branches, [](const wal::LostBranch& branch) {
        return !branch.business_code.empty() && !branch.business_id.empty();
    });
    if (named == branches.end()) return unknown;
    BusinessKey key{.code = named->business_code, .id = named->business_id};
    std::optional<KnownAttempt> highest = highest_attempt(key);
    if (const auto found = settling_keys_.find({key.code, key.id}); found != settling_keys_.end())
        highest = found->second;
    if (!highest) return key;
    if (decision == Decision::rollback && !highest->is_durably_rolled_back) return unknown;
    key.attempt = highest->attempt + 1;
    return key;
}

/// The records of a transaction that was settled by hand: what is known of it, and the word.
std::vector<wal::Entry> Service::settlement(const Gid& gid,
                                            Decision decision,
                                            const std::string& who,
                                            const std::string& reason,
                                            std::vector<Record>& records) {
    const std::vector<wal::LostBranch> branches = log_->lost(gid);
    Started started{.gid = gid,
                    .mode = Mode::two_phase,
                    .key = key_to_settle(gid, decision, branches),
                    .origin = {.actor = who}};
    std::vector<BranchVote> votes;
    for (const wal::LostBranch& branch : branches) {
        const bool has_run = branch.state == "executed" || branch.state == "compensated";
        if (has_run) started.mode = Mode::saga;
        started.branches.push_back({.branch_id = branch.branch_id,
                                    .participant = branch.participant,
                                    .operation = branch.operation,
                                    .payload = "{}"});
        votes.push_back({.vote = has_run ? Vote::executed : Vote::prepared});
    }
    const std::string how(to_text(decision));
    records = {
        started,
        Resolved{gid, std::nullopt, how, who, reason},
        Decided{
            gid, decision, {.code = "by_hand", .message = reason, .branch = {}}, std::move(votes)}};
    if (branches.empty()) records.push_back(Finished{gid});
    std::vector<wal::Entry> entries;
    for (std::uint32_t n = 0; n < records.size(); ++n)
        entries.push_back(to_entry({records[n], n, true}, around_.wall_microseconds()));
    entries.front().settles = true;
    return entries;
}

void Service::settle_lost(const Gid& gid,
                          Decision decision,
                          const std::string& who,
                          const std::string& reason,
                          std::function<void(wal::Written)> then) {
    settling_.insert(gid);
    std::vector<Record> records;
    std::vector<wal::Entry> entries = settlement(gid, decision, who, reason, records);
    const BusinessKey& key = std::get<Started>(records.front()).key;
    settling_keys_[{key.code, key.id}] = {.attempt = key.attempt,
                                          .gid = gid,
                                          .is_durably_rolled_back = decision == Decision::rollback};
    const recovery::Alert alert{
        .kind = "resolved_by_hand",
        .subject = to_text(gid),
        .text = std::string(to_text(decision)) + " by " + who + ": " + reason,
        .data = {},
        .is_event = true};
    log_->append(std::move(entries),
                 wal::Urgency::forced,
                 [this, gid, alert, records = std::move(records), then = std::move(then)](
                     wal::Written written) {
                     settling_.erase(gid);
                     if (written == wal::Written::durable) alerts_.raise(alert);
                     std::erase_if(settling_keys_,
                                   [&](const auto& each) { return each.second.gid == gid; });
                     if (written == wal::Written::durable) look_at_lost();
                     if (written == wal::Written::durable && is_ready_ && !is_stopped_) {
                         for (const Record& record : records) core_.apply(record);
                         if (core_.find(gid) != nullptr) perform(core_.resume(gid, around_.now()));
                     }
                     then(written);
                 });
}

struct Service::Settling {
    std::string who;
    std::string reason;
    std::function<void(std::size_t)> then;
    std::optional<Gid> after;
    std::size_t settled = 0;
    std::size_t under_way = 0;
    bool was_last = false;
};

void Service::settle_proven(const std::string& who,
                            const std::string& reason,
                            std::function<void(std::size_t)> then) {
    auto settling = std::make_shared<Settling>();
    settling->who = who;
    settling->reason = reason;
    settling->then = std::move(then);
    settle_next(settling);
}

/// A page of them, in one turn; the next when these are durable.
void Service::settle_next(const std::shared_ptr<Settling>& settling) {
    if (is_stopped_) return;
    const std::vector<LostTransaction> page = lost(settling->after, settled_at_once);
    settling->was_last = page.size() < settled_at_once;
    const auto one_is_through = [this, settling] {
        if (--settling->under_way > 0) return;
        if (settling->was_last)
            settling->then(settling->settled);
        else
            settle_next(settling);
    };
    settling->under_way = 1;  // this function itself
    for (const LostTransaction& each : page) {
        settling->after = each.gid;
        if (settling_.contains(each.gid)) continue;
        if (core_.find(each.gid) == nullptr && log_->read(each.gid)) {
            log_->forget_lost(each.gid);  // settled already
            continue;
        }
        if (!each.proven) continue;
        if (const Transaction* held = core_.find(each.gid)) {
            const ResolveAsked asked{each.gid,
                                     std::nullopt,
                                     std::string(to_text(*each.proven)),
                                     settling->who,
                                     settling->reason};
            if (held->phase == Phase::held && resolve(asked).result == ResolveResult::accepted)
                ++settling->settled;
            continue;
        }
        ++settling->under_way;
        settle_lost(each.gid,
                    *each.proven,
                    settling->who,
                    settling->reason,
                    [settling, one_is_through](wal::Written written) {
                        if (written == wal::Written::durable) ++settling->settled;
                        one_is_through();
                    });
    }
    one_is_through();
}

}  // namespace twophase::coordinator
