#include "tests/simulation/mishaps.hpp"

#include "tests/simulation/folders.hpp"

#include <algorithm>
#include <utility>

namespace twophase::simulation {

using namespace twophase::coordinator;

namespace {

constexpr std::size_t most_kept = 4;
constexpr Microseconds second = 1'000'000;
constexpr std::int64_t epoch_microseconds = 1'720'699'715'584'000;

/// People's tools meet no fault: they are begun again until they are through.
class Calm {
public:
    explicit Calm(World& world) : world_(world), was_(std::exchange(world.is_faulty, false)) {}
    ~Calm() { world_.is_faulty = was_; }
    Calm(const Calm&) = delete;
    Calm& operator=(const Calm&) = delete;

private:
    World& world_;
    bool was_;
};

}  // namespace

Mishaps::Mishaps(World& world,
                 Ledger& ledger,
                 CoordinatorNode& coordinator,
                 CoordinatorNode& twin,
                 std::vector<ParticipantNode*> participants)
    : world_(world),
      ledger_(ledger),
      coordinator_(coordinator),
      twin_(twin),
      participants_(std::move(participants)) {
    twin_.retire();
    twin_.has_true_log = false;
}

void Mishaps::start() {
    if (!world_.plan.has_mishaps) return;
    // A copy that works on may die in the very turn in which it begins to.
    world_.watch_calls = [this] { look(); };
    again();
}

void Mishaps::again() {
    world_.at(world_.now() + world_.chance.between(50'000, 1'000'000), nullptr, [this] {
        act();
        again();
    });
}

void Mishaps::act() {
    looked_at_ = 0;  // what is durable is folded a turn later
    look_at_settled(true);
    if (incident_) {
        if (world_.now() >= incident_->repair_at) repair();
    } else {
        settle();
    }
    if (store_incident_ && world_.now() >= store_incident_->repair_at) repair_store();
    if (!may_begin()) return;
    keep_copies();
    draw();
    if (!incident_) draw_store();
}

/// Both participants listen to the log as it is, and nothing is left of what befell before.
bool Mishaps::may_begin() {
    if (!is_over() || !coordinator_.has_true_log) return false;
    const Service* service = coordinator_.service();
    if (service != nullptr && service->log_state() == LogState::behind) {
        // Its twin was heard before it was ended, or a snapshot worked on for a while.
        world_.note("the coordinator's log is closed: " + service->log_detail());
        begin(Fault::count, Stage::wrong);
        return false;
    }
    if (!world_.is_faulty) return false;
    return (service == nullptr || service->log().lost({}, 1).empty()) && all_listen();
}

bool Mishaps::all_listen() {
    const std::string log = to_text(folders::identity_of(coordinator_.directory).log);
    return std::ranges::all_of(participants_, [&](const ParticipantNode* each) {
        const auto known = folders::known_log(each->directory, "main");
        return known && known->log == log;
    });
}

void Mishaps::keep_copies() {
    const auto keep = [&](std::vector<Kept>& kept, const std::string& directory) {
        if (!world_.chance.once_in(8)) return;
        if (kept.size() == most_kept)
            kept.erase(kept.begin() + world_.chance.between(0, most_kept - 1));
        kept.push_back({memory_disk::copy(directory),
                        folders::position_of(directory),
                        folders::identity_of(directory).epoch});
    };
    keep(copies_, coordinator_.directory);
    for (const ParticipantNode* each : participants_) keep(stores_[each->name], each->directory);
}

const Mishaps::Kept& Mishaps::one_of(const std::vector<Kept>& kept) {
    return kept[static_cast<std::size_t>(
        world_.chance.between(0, static_cast<std::int64_t>(kept.size()) - 1))];
}

void Mishaps::draw() {
    if (world_.strikes(Fault::log_moved)) return move_folder();
    if (world_.strikes(Fault::log_lost)) return lose();
    if (world_.strikes(Fault::log_doubled)) return double_it();
    if (copies_.empty()) return;
    for (const Fault fault : {Fault::log_set_back, Fault::log_snapshot})
        if (world_.strikes(fault)) return set_back(fault);
    if (!world_.strikes(Fault::log_restored)) return;
    begin(Fault::log_restored, Stage::wrong);
    restore(one_of(copies_));
}

// --- what befalls the log ---

/// The coordinator is down, and the newest log of it kept aside.
void Mishaps::begin(Fault fault, Stage stage) {
    coordinator_.crash(world_.strikes(Fault::power_loss));
    incident_ = Incident{.fault = fault,
                         .stage = stage,
                         .lost_identity = folders::identity_of(coordinator_.directory),
                         .lost = memory_disk::copy(coordinator_.directory)};
    later(0, 20 * second);
    if (stage == Stage::wrong) coordinator_.has_true_log = false;
}

void Mishaps::later(Microseconds least, Microseconds most) {
    // In the end people are quick.
    if (!world_.is_faulty) most = std::min(most, 2 * second);
    incident_->repair_at = world_.now() + world_.chance.between(std::min(least, most), most);
}

/// In runs of hours people take hours, so that participants would forget what was lost meanwhile.
void Mishaps::think_it_over() {
    constexpr Microseconds hour = 3'600 * second;
    settle_at_ = world_.now();
    if (world_.plan.hours_between > 0) settle_at_ += world_.chance.between(0, 6 * hour);
}

void Mishaps::empty_folder() {
    world_.note("the coordinator's folder is empty");
    coordinator_.crash(false);
    memory_disk::erase(coordinator_.directory);
    coordinator_.has_true_log = false;
    is_copy_watched_ = false;
    ++coordinator_.logs;
}

void Mishaps::put_back(CoordinatorNode& node, const Copy& copy, bool is_same_file) {
    node.crash(false);
    memory_disk::put(node.directory, *copy, is_same_file);
    ++node.logs;
}

void Mishaps::lose() {
    begin(Fault::log_lost, Stage::wrong);
    empty_folder();
}

void Mishaps::move_folder() {
    world_.note("the coordinator's folder is moved");
    coordinator_.crash(world_.strikes(Fault::power_loss));
    put_back(coordinator_, memory_disk::copy(coordinator_.directory), false);
}

void Mishaps::set_back(Fault fault) {
    begin(fault, Stage::wrong);
    // A disk is not set back before what its program had sent has arrived.
    if (fault == Fault::log_snapshot) world_.silence(coordinator_);
    const Kept& kept = one_of(copies_);
    world_.note("the coordinator's log is set back to position " + std::to_string(kept.position) +
                " from " + std::to_string(folders::position_of(coordinator_.directory)));
    put_back(coordinator_, kept.copy, fault == Fault::log_snapshot);
    start_watching(coordinator_, kept.position);
}

/// An old copy, which ends at `position`, was put into `node`'s folder.
void Mishaps::start_watching(const CoordinatorNode& node, std::uint64_t position) {
    copied_position_ = position;
    copy_starts_.clear();
    witnesses_.clear();
    for (const ParticipantNode* each : participants_)
        if (knows_more(*each, node)) witnesses_.insert(each->name);
    is_copy_watched_ = true;
}

void Mishaps::double_it() {
    const bool is_present = copies_.empty() || world_.chance.once_in(2);
    const Kept kept = is_present ? Kept{memory_disk::copy(coordinator_.directory),
                                        folders::position_of(coordinator_.directory)}
                                 : one_of(copies_);
    world_.note("a twin starts from position " + std::to_string(kept.position));
    incident_ = Incident{
        .fault = Fault::log_doubled, .stage = Stage::doubled, .lost_identity = {}, .lost = nullptr};
    later(second / 10, 20 * second);
    put_back(twin_, kept.copy, false);
    start_watching(twin_, kept.position);
    twin_.hire();
    twin_.start();
    switch (world_.chance.between(0, 2)) {
        case 0: break;  // nobody's request reaches it
        case 1:
            world_.redirect = [this](const std::string& host) -> Node* {
                return host == coordinator_.name ? &twin_ : nullptr;
            };
            break;
        default:
            world_.redirect = [this](const std::string& host) -> Node* {
                return host == coordinator_.name && world_.chance.once_in(2) ? &twin_ : nullptr;
            };
    }
}

CoordinatorNode* Mishaps::reached() {
    return static_cast<CoordinatorNode*>(world_.find(coordinator_.name));
}

/// Its last word was of a start that was not made on the copy, and from behind the copy's end.
bool Mishaps::knows_more(const ParticipantNode& participant, const CoordinatorNode& node) const {
    const std::string& directory =
        participant.has_true_store ? participant.directory : std::string();
    if (directory.empty()) return false;
    const auto known = folders::known_log(directory, "main");
    const wal::StoreIdentity own = folders::identity_of(node.directory);
    return known && known->log == to_text(own.log) && known->position > copied_position_ &&
           !copy_starts_.contains(known->start);
}

void Mishaps::look() {
    if (!unsettled_.empty()) look_at_settled(false);
    if (!is_copy_watched_) return;
    for (CoordinatorNode* node : {&coordinator_, &twin_}) {
        if (node->has_true_log || node->service() == nullptr) continue;
        copy_starts_.insert(to_text(node->service()->guard().start().start));
        if (node->service()->log_state() == LogState::open) return adopt(*node);
    }
}

/// An old copy works on: who was heard must not know more than it holds.
void Mishaps::adopt(CoordinatorNode& node) {
    const Service& service = *node.service();
    const std::vector<std::string> unheard = service.unheard();
    const bool is_snapshot = incident_->fault == Fault::log_snapshot;
    bool is_excused = is_snapshot && !unheard.empty();
    for (const ParticipantNode* each : participants_) {
        if (!witnesses_.contains(each->name) && !knows_more(*each, node)) continue;
        const bool was_heard = std::ranges::find(unheard, each->name) == unheard.end();
        if (was_heard || !is_snapshot)
            world_.fail("an old copy of the log works on, though " + each->name +
                        " has seen more of it");
        is_excused = true;
    }
    world_.note(node.name + ": an old copy of the log works on");
    is_copy_watched_ = false;
    ledger_.adopted(service, is_excused);
    // Those that it found in its log: a crash may have come before the ledger heard of them.
    for (const auto& [gid, transaction] : service.core().transactions())
        if (transaction.folded.decision) ledger_.decided(transaction, *transaction.folded.decision);
    ledger_.take_aside(service);
    for (CoordinatorNode* each : {&coordinator_, &twin_}) each->has_true_log = each == &node;
    if (&node == &coordinator_) incident_.reset();
    copies_.clear();
}

// --- what people do about it ---

void Mishaps::repair() {
    switch (incident_->stage) {
        case Stage::wrong: return repair_wrong();
        case Stage::successor: return make_successor();
        case Stage::unaccepted: return accept();
        case Stage::doubled: return end_doubled();
    }
}

void Mishaps::repair_wrong() {
    if (world_.strikes(Fault::operator_errs)) {
        // The wrong folder again, or one more empty one.
        if (!copies_.empty() && world_.chance.once_in(2)) {
            const Kept& kept = one_of(copies_);
            put_back(coordinator_, kept.copy, false);
            start_watching(coordinator_, kept.position);
        } else {
            empty_folder();
        }
        return later(second / 10, 10 * second);
    }
    // A closed log that was the true one a moment ago is no use: something in it is not.
    const std::int64_t way = world_.chance.between(incident_->fault == Fault::count ? 1 : 0, 2);
    if (way == 0) {
        world_.note("the lost log is put back");
        put_back(coordinator_, incident_->lost, false);
        coordinator_.has_true_log = true;
        is_copy_watched_ = false;
        incident_.reset();
    } else if (way == 1 && !copies_.empty()) {
        restore(one_of(copies_));
    } else {
        empty_folder();
        incident_->stage = Stage::successor;
        later(second / 10, 10 * second);
    }
}

void Mishaps::restore(const Kept& backup) {
    world_.note("a backup of position " + std::to_string(backup.position) + " is restored");
    put_back(coordinator_, backup.copy, false);
    is_copy_watched_ = false;
    const Calm calm(world_);
    folders::change_identity(coordinator_.directory, [this](wal::StoreIdentity& identity) {
        const std::uint64_t before = identity.epoch;
        wal::make_restored(identity, [this] { return world_.chance.bits(); });
        // By virtual time, and by a clock that is right.
        identity.epoch = std::max(before + wal::restored_epochs_ahead,
                                  static_cast<std::uint64_t>(epoch_microseconds + world_.now()));
        identity.place = {};
    });
    incident_->stage = Stage::unaccepted;
    coordinator_.has_true_log = coordinator_.lacks_lost = true;
    later(0, 5 * second);
    think_it_over();
}

void Mishaps::make_successor() {
    if (memory_disk::copy(coordinator_.directory) == nullptr) return;  // it has not started yet
    coordinator_.crash(false);
    if (folders::has_transactions(coordinator_.directory)) return empty_folder();
    world_.note("the new log succeeds the lost one");
    const Calm calm(world_);
    folders::change_identity(coordinator_.directory, [this](wal::StoreIdentity& identity) {
        std::vector<wal::Token> replaced = incident_->lost_identity.replaces;
        replaced.insert(replaced.begin(), incident_->lost_identity.log);
        wal::make_successor(identity, replaced, "operator: the log is gone");
    });
    incident_->stage = Stage::unaccepted;
    coordinator_.has_true_log = coordinator_.lacks_lost = true;
    later(0, 5 * second);
    think_it_over();
}

void Mishaps::accept() {
    Service* service = coordinator_.service();
    if (service == nullptr) return;
    if (service->log_state() == LogState::unaccepted) {
        if (!service->unlisted().empty()) return;
        // Looked at before or after it is accepted.
        if (world_.chance.once_in(2)) return settle();
        if (world_.chance.once_in(2))
            coordinator_.run(
                [&] { service->accept({}, "operator", "all was heard", [](wal::Written) {}); });
        return;
    }
    settle();
    service = coordinator_.service();  // it may have died over it
    if (service == nullptr) return;
    if (service->log_state() != LogState::open || !service->log().lost({}, 1).empty() ||
        !unsettled_.empty())
        return;
    const auto& live = service->core().transactions();
    if (std::ranges::any_of(live,
                            [](const auto& each) { return each.second.phase == Phase::held; }))
        return;
    const auto lanes = service->lanes();
    if (!std::ranges::all_of(lanes, &LaneStatus::is_heard) || !all_listen()) return;
    world_.note("the log that took the lost one's place works");
    coordinator_.lacks_lost = false;
    ledger_.succeeded(*service);
    copies_.clear();
    incident_.reset();
}

void Mishaps::end_doubled() {
    if (twin_.has_true_log) {
        // It was started in the other's place: its folder goes there.
        world_.note("the twin's log stays");
        twin_.crash(false);
        put_back(coordinator_, memory_disk::copy(twin_.directory), false);
        twin_.has_true_log = false;
        coordinator_.has_true_log = true;
    } else {
        world_.note("the twin is ended");
    }
    is_copy_watched_ = false;
    twin_.retire();
    world_.redirect = nullptr;
    incident_.reset();
}

// --- lost transactions ---

/// What a person said is written down once it is durable, before anybody hears of it.
std::function<void(wal::Written)> Mishaps::told(const Gid& gid) {
    return [this, gid, decision = ledger_.truth(gid)](wal::Written written) {
        if (written == wal::Written::durable) ledger_.settled(gid, decision);
    };
}

/// Proven ones in bulk, the others one by one.
void Mishaps::settle() {
    Service* service = coordinator_.service();
    if (service == nullptr || (world_.is_faulty && world_.now() < settle_at_)) return;
    const std::vector<LostTransaction> lost = service->lost({}, 100'000);
    for (const LostTransaction& each : lost) {
        ledger_.lost(each.gid);
        unsettled_.insert(each.gid);
    }
    std::vector<Gid> held;
    for (const auto& [gid, t] : service->core().transactions())
        if (t.phase == Phase::held) held.push_back(gid);
    for (const Gid& gid : held) {
        ledger_.lost(gid);
        unsettled_.insert(gid);
    }
    if (!lost.empty() && world_.chance.once_in(2))
        return coordinator_.run(
            [&] { service->settle_proven("operator", "proven", [](std::size_t) {}); });
    coordinator_.run([&] {
        for (const LostTransaction& each : lost) {
            if (service->core().find(each.gid) != nullptr) continue;
            if (service->may_settle_unknown(each.gid) && !each.proven)
                service->settle_lost(
                    each.gid, ledger_.truth(each.gid), "operator", "as it was", [](wal::Written) {
                    });
        }
        for (const Gid& gid : held) {
            const auto proven = proven_by(service->log().lost(gid));
            const Decision decision = proven ? *proven : ledger_.truth(gid);
            service->resolve(
                {gid, std::nullopt, std::string(to_text(decision)), "operator", "as it was"});
        }
    });
    if (lost.empty()) settle_strangers();
}

/// A branch in doubt that the log neither knows nor presumes anything of: a twin may have asked it.
void Mishaps::settle_strangers() {
    Service* service = coordinator_.service();
    if (service == nullptr || service->log_state() != LogState::open) return;
    if (world_.is_faulty && !world_.chance.once_in(4)) return;
    for (ParticipantNode* each : participants_) {
        if (!each->is_ready() || each->in_doubt() == 0) continue;
        for (const ParticipantNode::Row& row : each->branches()) {
            if (row.branch.state != participants::BranchState::prepared) continue;
            const Gid gid = *parse_gid(row.gid);
            if (!service->may_settle_unknown(gid) || service->inquire(gid) != Verdict::pending)
                continue;
            unsettled_.insert(gid);
            coordinator_.run([&] {
                service->settle_lost(gid, ledger_.truth(gid), "operator", "as it was", told(gid));
            });
            if (coordinator_.service() == nullptr) return;
        }
    }
}

void Mishaps::look_at_settled(bool is_asked_again) {
    const Service* service = coordinator_.service();
    if (service == nullptr) return;
    const std::uint64_t position = service->position();
    if (std::exchange(looked_at_, position) == position) return;
    std::erase_if(unsettled_, [&](const Gid& gid) {
        const Found found = service->find(gid);
        const auto decision = found.live != nullptr ? found.live->folded.decision
                              : found.folded        ? found.folded->decision
                                                    : std::nullopt;
        if (decision) ledger_.settled(gid, *decision);
        // It may have ended otherwise: a stranger's branch by what is presumed by now.
        const bool is_gone = found.live == nullptr && !found.folded && is_asked_again &&
                             service->log().lost(gid).empty();
        return decision.has_value() || is_gone;
    });
}

// --- participants' stores ---

/// Only where the coordinator has seen more of the store than the copy holds, and will know it
/// after a crash too: what it never heard of, it can't miss.
void Mishaps::draw_store() {
    for (ParticipantNode* each : participants_) {
        const Fault fault = world_.chance.once_in(2) ? Fault::store_set_back : Fault::store_emptied;
        const auto& kept = stores_[each->name];
        const Service* service = coordinator_.service();
        if (kept.empty() || service == nullptr || service->log_state() != LogState::open) continue;
        const auto seen = service->log().seen_stores();
        const auto remembered = seen.find(each->name);
        const Kept& old = one_of(kept);
        if (remembered == seen.end() || remembered->second.epoch < old.epoch) continue;
        // A copy that lacks nothing but starts, each a position, is as good as the store.
        const std::uint64_t starts = remembered->second.epoch - old.epoch;
        if (remembered->second.position <= old.position + starts) continue;
        if (!world_.strikes(fault)) continue;
        each->crash(world_.strikes(Fault::power_loss));
        world_.note(each->name + "'s store is not the one that was there");
        store_incident_ =
            StoreIncident{.participant = each,
                          .truth = memory_disk::copy(each->directory),
                          .repair_at = world_.now() + world_.chance.between(0, 20 * second)};
        each->has_true_store = false;
        if (fault == Fault::store_emptied)
            memory_disk::erase(each->directory);
        else
            memory_disk::put(each->directory, *old.copy, false);
        return;
    }
}

void Mishaps::repair_store() {
    ParticipantNode& participant = *store_incident_->participant;
    world_.note(participant.name + "'s store is put back");
    participant.crash(false);
    memory_disk::put(participant.directory, *store_incident_->truth, false);
    participant.has_true_store = true;
    store_incident_.reset();
}

std::string Mishaps::unrest() const {
    std::string text;
    if (incident_)
        text += "; " +
                std::string(incident_->fault == Fault::count ? "a closed log"
                                                             : fault_name(incident_->fault)) +
                " in stage " + std::to_string(static_cast<int>(incident_->stage));
    if (store_incident_) text += "; a store is not put back";
    for (const Gid& gid : unsettled_) text += "; " + to_text(gid) + " is not settled";
    if (coordinator_.is_up())
        if (const Service* service = coordinator_.service()) {
            text += "; " + service->log_detail();
            for (const LaneStatus& lane : service->lanes())
                text += "; " + lane.participant + (lane.is_heard ? " heard " : " not heard ") +
                        lane.held_for;
            text += "; log " + to_text(service->guard().own().log);
            for (const ParticipantNode* each : participants_)
                if (const auto known = folders::known_log(each->directory, "main"))
                    text += ", " + each->name + " knows " + known->log + " epoch " +
                            std::to_string(known->epoch);
            text += ", lost " + std::to_string(service->log().lost({}, 1000).size());
        }
    return text;
}

}  // namespace twophase::simulation
