#include "tests/simulation/clients.hpp"

#include "coordinator/record_codec.hpp"
#include "coordinator/views.hpp"
#include "http/json.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <iterator>
#include <utility>

namespace twophase::simulation {

using namespace twophase::coordinator;

namespace {

constexpr std::uint32_t most_attempts = 3;

Fingerprint fingerprint_of(const std::string& user, std::int64_t amount) {
    Fingerprint fingerprint{1};  // the rule
    const std::size_t hash = std::hash<std::string>{}(user + " " + std::to_string(amount));
    std::memcpy(fingerprint.data() + 1, &hash, sizeof hash);
    return fingerprint;
}

/// A record that is durable tells that the branch ended so, or refused. Another may come after it.
bool has_record(const wal::StoredTransaction& stored, std::size_t branch, std::string_view state) {
    return std::ranges::any_of(stored.records, [&](const wal::StoredRecord& each) {
        const auto stamped = decode(stored.gid, each.payload);
        if (!stamped) return false;
        if (const auto* done = std::get_if<BranchDone>(&stamped->record))
            return done->branch == branch && to_text(done->how) == state;
        const auto* decided = std::get_if<Decided>(&stamped->record);
        return decided != nullptr && to_text(decided->votes[branch].vote) == state;
    });
}

/// What a client may be told of its transaction now.
std::optional<Decision> decision_of(const Found& found) {
    if (found.live != nullptr) return found.live->folded.decision;
    return found.folded ? found.folded->decision : std::nullopt;
}

}  // namespace

// --- clients ---

Client::Client(World& world, Ledger& ledger, Reach reach, int number, int share)
    : world_(world), ledger_(ledger), reach_(std::move(reach)), number_(number), left_(share) {}

void Client::next_later() {
    Microseconds pause = world_.chance.between(100, 100'000);
    if (world_.plan.hours_between > 0 && world_.chance.once_in(50))
        pause += world_.chance.between(1, world_.plan.hours_between) * Microseconds{3'600'000'000};
    world_.at(world_.now() + pause, nullptr, [this] { next(); });
}

void Client::next() {
    if (left_ == 0) return;
    key_ = {.code = "order",
            .id = std::to_string(number_) + "-" + std::to_string(++orders_),
            .attempt = 1};
    user_ = "u" + std::to_string(world_.chance.between(0, world_.plan.users - 1));
    amount_ = world_.chance.between(1, 200);
    is_start_awaited_ = world_.chance.once_in(4);
    began_ = world_.now();
    choose_mode();
    coupons_ = world_.plan.is_scripted || !world_.chance.once_in(3) ? 1 : 2;
    if (world_.plan.is_scripted) amount_ = number_ == 0 ? 100 : 1'000;
    submit();
}

/// A repeat of an order is the same request, so this is drawn once for each.
void Client::choose_mode() {
    mode_ = Mode::two_phase;
    timeout_ = world_.plan.vote_timeout;
    if (world_.plan.is_scripted || world_.chance.once_in(2)) return;
    mode_ = world_.chance.once_in(2) ? Mode::saga : Mode::eventual;
    if (!world_.chance.once_in(4)) timeout_ = recovery::Time(0);
    max_retries_ = static_cast<std::uint32_t>(world_.chance.between(0, 3));
    retry_delay_ = static_cast<std::uint64_t>(world_.chance.between(1, 5'000));
}

Submission Client::submission() const {
    Submission made{
        .mode = mode_,
        .key = key_,
        .fingerprint = fingerprint_of(user_, amount_),
        .branches = {{.branch_id = "1",
                      .participant = "credit",
                      .operation = "deduct_credits",
                      .payload = R"({"amount":)" + std::to_string(amount_) +
                                 R"(,"credit_type":"points","user_id":")" + user_ + "\"}"}},
        .origin = {.ip = "10.0.0.9", .request_id = key_.id, .actor = "client"},
        .vote_timeout = timeout_,
        .is_start_awaited = is_start_awaited_};
    for (std::size_t i = 1; i <= coupons_; ++i) {
        BranchRequest coupon{.branch_id = branch_id_of(i),
                             .participant = "coupon",
                             .operation = "create_coupon",
                             .payload = R"({"template_id":"spring","user_id":")" + user_ + "\"}"};
        if (mode_ == Mode::saga) coupon.after = steps_before(i);
        if (mode_ == Mode::eventual) {
            coupon.max_retries = max_retries_;
            coupon.retry_delay_milliseconds = retry_delay_;
        }
        made.branches.push_back(std::move(coupon));
    }
    return made;
}

/// In order, side by side, two after one, or one after two.
std::vector<SharedText> Client::steps_before(std::size_t step) const {
    if (step == 2 && amount_ % 3 == 0) return {branch_id_of(0), branch_id_of(1)};
    if (amount_ % 2 != 0) return {};
    return {branch_id_of(amount_ % 4 == 0 ? step - 1 : 0)};
}

void Client::submit() {
    // A key is remembered for the time of retention: nobody repeats an order after that.
    constexpr Microseconds most_patience{3'000'000'000};
    if (world_.now() - began_ > most_patience) return over();
    ++tries_;
    try_again_after(world_.chance.between(500'000, 20'000'000));
    reached_ = reach_();
    if (reached_->service() == nullptr) return;
    reached_->run([this, tries = tries_] {
        Service& service = *reached_->service();
        submit_to(service);
        const bool is_answered = tries != tries_;
        if (!is_answered && world_.strikes(Fault::duplicate_submission)) submit_to(service);
    });
}

void Client::submit_to(Service& service) {
    using Kind = Admitted::Kind;
    // Now and then somebody does not wait for the outcome before the next attempt.
    const bool is_hasty = !world_.plan.is_scripted && world_.chance.once_in(16);
    if (is_hasty) ++key_.attempt;
    const Admitted admitted = service.submit(submission());
    if (is_hasty && admitted.kind != Kind::is_new) {
        --key_.attempt;
        return;
    }
    if (world_.keeps_trace())
        world_.note("client " + std::to_string(number_) + " submits " + key_.id + " attempt " +
                    std::to_string(key_.attempt) + ": " +
                    std::to_string(static_cast<int>(admitted.kind)));
    switch (admitted.kind) {
        case Kind::is_new:
            ledger_.check_undone(key_);
            ledger_.submitted(admitted.gid,
                              {.user = user_,
                               .amount = amount_,
                               .key = key_,
                               .mode = mode_,
                               .branches = submission().branches},
                              reached_->name + std::to_string(reached_->logs));
            return wait_for(service, admitted.gid);
        case Kind::repeat: return wait_for(service, admitted.gid);
        case Kind::changed:
        case Kind::superseded:
        case Kind::damaged:
            // A person's word on a lost transaction takes its key.
            if (ledger_.is_lost(key_)) return over();
            world_.fail("a client's own repeat is refused: " + key_.id);
        case Kind::attempt_unknown:
            // Its first attempts are forgotten after hours; else it was told of them.
            if (world_.plan.hours_between == 0 && !world_.plan.has_mishaps)
                world_.fail("a rolled back attempt is unknown: " + key_.id);
            return over();
        default: return;  // no room, too many, not over yet, closed, lost: again later
    }
}

void Client::wait_for(Service& service, const Gid& gid) {
    const auto told_gid = [this, gid, node = reached_] {
        if (node->has_true_log) ledger_.told_gid(gid);
    };
    if (is_start_awaited_ && service.has_reached(gid, Milestone::started))
        told_gid();
    else if (is_start_awaited_)
        service.wait(gid, Milestone::started, [told_gid](Milestone reached) {
            if (reached != Milestone::failed) told_gid();
        });
    const Milestone milestone =
        world_.chance.once_in(2) ? Milestone::completed : Milestone::decided;
    if (service.has_reached(gid, milestone)) return heard(gid, milestone);
    service.wait(gid, milestone, [this, gid, tries = tries_](Milestone reached) {
        if (tries == tries_) heard(gid, reached);
    });
}

void Client::heard(const Gid& gid, Milestone milestone) {
    if (milestone == Milestone::failed) return;  // nothing was started: again later
    const auto decision = decision_of(reached_->service()->find(gid));
    if (!decision) world_.fail("a client is told an outcome of " + to_text(gid) + " that is none");
    if (reached_->has_true_log) ledger_.told_aside(gid, *decision, "a client");
    check_ends(gid);
    ++tries_;
    const bool tries_on =
        *decision == Decision::rollback && key_.attempt < most_attempts && world_.chance.once_in(3);
    if (tries_on) {
        ++key_.attempt;
        return try_again_after(world_.chance.between(0, 50'000));
    }
    // Now and then it asks once more, as if the answer had been lost.
    if (world_.chance.once_in(10)) return try_again_after(world_.chance.between(0, 1'000'000));
    over();
}

/// No end is told that a crash would forget: not a limit's, and not a person's.
void Client::check_ends(const Gid& gid) const {
    const Service& service = *reached_->service();
    const auto stored = service.log().read(gid);
    const auto told = http::Json::parse(outcome_text(view_of(gid, service.find(gid)), false));
    for (std::size_t i = 0; i < told["branches"].size(); ++i) {
        const std::string state = told["branches"][i]["state"];
        const bool is_binding = state == "dead_letter" || state == "by_hand" ||
                                state == "discarded" || state == "refused";
        if (is_binding && !(stored && has_record(*stored, i, state)))
            world_.fail("a client is told that a branch of " + to_text(gid) + " is " + state +
                        ", and no record says so");
    }
}

void Client::try_again_after(Microseconds pause) {
    world_.at(world_.now() + pause, nullptr, [this, tries = tries_] {
        if (tries != tries_) return;
        if (world_.strikes(Fault::client_gone)) return over();
        submit();
    });
}

void Client::over() {
    ++tries_;
    if (--left_ > 0) next_later();
}

// --- meddling ---

void Meddler::again() {
    world_.at(world_.now() + world_.chance.between(10'000, 500'000), nullptr, [this] {
        if (world_.is_faulty)
            resolve();
        else
            discard_dead_letters();
        if (world_.strikes(Fault::clock_jump)) set_a_clock();
        again();
    });
}

void Meddler::resolve() {
    Service* service = coordinator_.service();
    if (service == nullptr || service->core().transactions().empty()) return;
    if (!world_.strikes(Fault::operator_acts)) return;
    const auto& live = service->core().transactions();
    auto chosen = live.begin();
    std::advance(chosen, world_.chance.between(0, static_cast<std::int64_t>(live.size()) - 1));
    if (chosen->second.phase == Phase::held) return;  // see Mishaps
    ResolveAsked asked{.gid = chosen->first,
                       .branch = std::nullopt,
                       .how = "rollback",
                       .who = "operator",
                       .reason = "impatience"};
    if (world_.chance.once_in(3)) asked.how = "commit";
    if (world_.chance.once_in(3)) {
        asked.how = world_.chance.once_in(2) ? "by_hand" : "discarded";
        const std::size_t branches = chosen->second.live.size();
        asked.branch = static_cast<BranchIndex>(
            world_.chance.between(0, static_cast<std::int64_t>(branches) - 1));
    }
    if (asked.branch && world_.chance.once_in(4)) asked.how = "retry";
    coordinator_.run([&] {
        const bool is_end = asked.branch && asked.how != "retry";
        if (is_end && service->core().may_resolve(asked) == ResolveRefusal::none)
            ledger_.ended_by_hand(*service->core().find(asked.gid), *asked.branch);
        service->resolve(asked);
    });
}

/// Nobody else ends what waits for a person. After hours a participant may have forgotten a branch
/// that a lost log had finished: the log that took its place can't tell it anything. Nor can a
/// snapshot that had worked on.
void Meddler::discard_dead_letters() {
    Service* service = coordinator_.service();
    if (service == nullptr) return;
    std::vector<ResolveAsked> all;
    for (const auto& [gid, t] : service->core().transactions())
        for (BranchIndex i = 0; i < t.live.size(); ++i)
            if (t.live[i].how == How::dead_letter)
                all.push_back({gid, i, "discarded", "op", "old"});
            else if (t.live[i].is_contradicted && (ledger_.may_forget() || ledger_.is_excused(gid)))
                all.push_back({gid, i, "by_hand", "op", "forgotten there"});
    for (const ResolveAsked& asked : all)
        coordinator_.run([&] {
            if (service->core().may_resolve(asked) != ResolveRefusal::none) return;
            ledger_.ended_by_hand(*service->core().find(asked.gid), *asked.branch);
            service->resolve(asked);
        });
}

void Meddler::set_a_clock() {
    constexpr std::int64_t hour = 3'600'000'000;
    constexpr std::array errors{
        hour, -hour, 10 * 365 * 24 * hour, -54 * 365 * 24 * hour, std::int64_t{0}};
    Node* node = nodes_[static_cast<std::size_t>(
        world_.chance.between(0, static_cast<std::int64_t>(nodes_.size()) - 1))];
    node->clock_error = errors[static_cast<std::size_t>(
        world_.chance.between(0, static_cast<std::int64_t>(errors.size()) - 1))];
}

}  // namespace twophase::simulation
