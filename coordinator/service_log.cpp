// Whether this log may be believed: participants are asked what they have seen of it before
// anything is sent to them, and nothing is presumed before those who may know more were heard.
#include "coordinator/service.hpp"
#include "http/json.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace twophase::coordinator {
namespace {

constexpr int exit_replaced = 4;
constexpr int exit_other_log = 6;
constexpr Time patience{1'000};   // with participants that are not heard at once
constexpr Time end_delay{1'000};  // for the alert to leave
constexpr Time seen_written_after{1'000};
constexpr Time refusal_lasts{60'000};
constexpr std::size_t replaced_told = 16;  // in each message: more were replaced one by one
constexpr std::uint64_t alert_again_after = 3'600;  // seconds, over restarts

// Numbers of the store.
constexpr std::string_view known_name = "known by a participant";
std::string alerted_name(const std::string& kind) { return "alerted " + kind; }

std::string join(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

}  // namespace

std::string_view to_text(LogState state) {
    switch (state) {
        case LogState::unheard: return "unheard";
        case LogState::open: return "open";
        case LogState::moved: return "moved";
        case LogState::unaccepted: return "unaccepted";
        case LogState::behind: return "behind";
    }
    return "?";
}

void Service::open_identity() {
    const wal::Store& store = log_->store();
    const wal::StoreIdentity& identity = store.identity();
    is_moved_ = identity.is_moved;
    awaits_acceptance_ = identity.awaits_acceptance;
    is_known_ = store.number(known_name) > 0;
    log_text_ = to_text(identity.log);
    start_text_ = to_text(store.start());
    for (const wal::Token& each : identity.replaces)
        if (replaces_text_.size() < replaced_told) replaces_text_.push_back(to_text(each));
    seen_ = log_->seen_stores();
    for (const auto& [name, participant] : config_.participants)
        if (is_listed(name)) listed_.insert(name);
    look_at_lost();
    lost_list_ = std::make_shared<LostList>(
        around_,
        config_,
        LostList::Hooks{
            .is_lost =
                [this](const wal::LostBranch& branch) {
                    undo_if_left(branch);
                    return is_of_a_lost_log(branch);
                },
            .keep =
                [this](std::vector<wal::LostBranch> branches, std::function<void()> kept) {
                    const std::vector<wal::LostBranch> noted = branches;
                    log_->note_lost(std::move(branches), [this, noted, kept](wal::Written) {
                        // One may have been settled while this was on its way to the disk.
                        for (const wal::LostBranch& branch : noted)
                            if (!is_of_a_lost_log(branch)) log_->forget_lost(branch.gid);
                        log_->store().submit(
                            {.work = {}, .then = [this](wal::Written) { look_at_lost(); }});
                        look_at_lost();
                        kept();
                    });
                },
            .ended = [this](const std::string& participant,
                            bool has_list) { listing_ended(participant, has_list); }});
    if (store.is_new())
        spdlog::warn(
            "a new log is made in {}: nothing was ever decided in it. If coordinator {} has worked "
            "before, stop this one and give it the folder of its log",
            config_.data.string(),
            config_.id);
    spdlog::info("log {}, start {}, position {}", log_text_, start_text_, store.position());
    if (is_moved_)
        spdlog::warn(
            "this log's file is not where its last start left it: it may be an old copy. Nothing "
            "is presumed before every participant was heard (recoveryctl hand-over makes a planned "
            "move free of this)");
    if (awaits_acceptance_)
        spdlog::warn(
            "this log takes the place of another and nobody has accepted it: it only reads from "
            "participants. recoveryctl lost shows what was lost, recoveryctl accept opens it");
}

Undecided Service::undecided(const Gid& gid) const {
    if (const auto below = guard_->undecided_below(); below && gid < *below)
        return Undecided::waits_for_operator;
    return is_confirmed_ ? Undecided::goes_on : Undecided::waits_for_confirmation;
}

LogState Service::log_state() const {
    if (!closed_for_.empty()) return LogState::behind;
    if (awaits_acceptance_) return LogState::unaccepted;
    if (is_confirmed_) return LogState::open;
    return is_moved_ ? LogState::moved : LogState::unheard;
}

std::string Service::log_detail() const {
    switch (log_state()) {
        case LogState::open: return "";
        case LogState::unheard: return "participants are asked what they know of this log";
        case LogState::moved:
            return "its file is not where the last start left it; nothing is presumed before these "
                   "were heard twice, and listen to this start of it (they ask the URL in their "
                   "setting `coordinators`): " +
                   join(unheard().empty() ? unfenced() : unheard());
        case LogState::unaccepted:
            return "it takes the place of another log and waits for acceptance (recoveryctl lost, "
                   "recoveryctl accept)";
        case LogState::behind: return closed_for_;
    }
    return "";
}

/// A new log first hears everybody without telling of itself: where one knows another log, the
/// others must not have taken this one.
bool Service::may_be_listened_to() const {
    return closed_for_.empty() && !awaits_acceptance_ && !is_ending_ &&
           (is_known_ || is_first_round_over_);
}

std::vector<std::string> Service::unheard() const {
    std::vector<std::string> names;
    for (const auto& [name, participant] : config_.participants)
        if (!heard_.contains(name)) names.push_back(name);
    return names;
}

std::vector<std::string> Service::unfenced() const {
    std::vector<std::string> names;
    for (const auto& [name, participant] : config_.participants)
        if (!fenced_.contains(name)) names.push_back(name);
    return names;
}

std::vector<std::string> Service::unlisted() const {
    std::vector<std::string> names;
    for (const auto& [name, participant] : config_.participants)
        if (!listed_.contains(name)) names.push_back(name);
    return names;
}

// --- what participants say ---

/// Asks all of them; who isn't heard in the time of patience is not waited for by the others.
void Service::begin_hearing() {
    lanes_.start();
    patience_alarm_->set(around_.now() + std::min(patience, config_.sweep_interval), [this] {
        end_first_round();
        lanes_.release_new_work();
    });
}

Question Service::question_to(const std::string& participant) {
    Question question{.nonce = std::to_string(around_.random())};
    question.has_claim = may_be_listened_to();
    if (question.has_claim) question.claim = "&log=" + log_text_;
    // Only once nobody was found to know more: an old copy takes nobody from the newest.
    if (question.has_claim && is_fencing_ && !is_confirmed_)
        question.claim += "&start=" + start_text_;
    if (const auto seen = seen_.find(participant); seen != seen_.end())
        question.remembered = seen->second;
    return question;
}

Reception Service::introduced(const std::string& participant,
                              const Question& question,
                              const Introduction& told) {
    if (is_stopped_ || is_ending_) return {};
    const Judgement of_log = guard_->judge_log(participant, told, position());
    const bool is_bad =
        of_log.testimony != Testimony::fine && of_log.testimony != Testimony::not_known;
    if (is_bad) return judged_badly(participant, of_log);
    // From here on it has said nothing of our log that we don't know.
    if (const Judgement of_store = LogGuard::judge_store(participant, told, question.remembered);
        of_store.testimony != Testimony::fine) {
        heard(participant);
        return judged_badly(participant, of_store);
    }
    if (!told.is_foreign) remember(participant, told.store.to_store());
    if (told.known && guard_->is_own(told.known->log)) note_known();
    // Who can't ask for it listens to no log without being told which.
    const bool listens_to_start = told.known && told.known->start == guard_->own().start;
    if (told.is_foreign || listens_to_start || (!told.known && !told.is_configured))
        fenced_.insert(participant);
    heard(participant);
    return standing_of(participant, question, told);
}

/// Somebody listens to this log from now on: it is no new one any more.
void Service::note_known() {
    if (std::exchange(is_known_, true)) return;
    wal::Store& store = log_->store();
    store.submit(
        {.work = [&store](wal::Unit& unit) { wal::Store::raise(unit, store, known_name, 1); },
         .then = {},
         .urgency = wal::Urgency::lazy,
         .label = "known"});
}

/// It says nothing against this log. Whether it may be sent anything yet.
Reception Service::standing_of(const std::string& participant,
                               const Question& question,
                               const Introduction& told) {
    if (awaits_acceptance_) {
        if (!listed_.contains(participant)) list_lost(participant, false);
        return {false, "this log waits for acceptance (recoveryctl accept)"};
    }
    // A message would fence off whoever may still work on the file that this was copied from.
    if (is_moved_ && !is_confirmed_) return {};
    const bool listens = told.is_foreign || (told.known && guard_->is_own(told.known->log));
    if (!listens) {
        // It takes a log once it has asked us about it, and it asks where we make a claim. One that
        // can't ask refuses what is sent to it.
        if (!question.has_claim) return {};
        if (told.is_configured)
            return {false,
                    participant +
                        " could not confirm this log: it asks the URL that its setting "
                        "`coordinators` has for " +
                        config_.id,
                    true};
    }
    if (told.is_foreign && !is_first_round_over_ && !is_known_) return {};
    if (told.is_foreign && is_refused_by(participant))
        return {false, participant + " refuses this start: it has heard from a later one"};
    if (!is_listed(participant)) {
        list_lost(participant, true);
        return {false,
                "its branches are being read first, for what the replaced log had under way"};
    }
    note_known();
    return {true, ""};
}

/// Of a participant that doesn't tell which log it knows: it said stale_epoch a moment ago. When
/// most say so, another start works in this one's place.
bool Service::is_refused_by(const std::string& participant) {
    std::erase_if(refused_by_,
                  [&](const auto& each) { return around_.now() - each.second >= refusal_lasts; });
    if (!refused_by_.contains(participant)) return false;
    raise_seldom({.kind = "stale_epoch",
                  .subject = participant,
                  .text = participant + " has heard from a later start of coordinator " +
                          config_.id + " than epoch " + std::to_string(epoch()),
                  .data = {}});
    if (2 * refused_by_.size() > config_.participants.size())
        end_later(exit_replaced,
                  "most participants have heard from a later start of coordinator " + config_.id +
                      " than epoch " + std::to_string(epoch()) + ": another one runs");
    return true;
}

Reception Service::judged_badly(const std::string& participant, const Judgement& judgement) {
    switch (judgement.testimony) {
        case Testimony::behind:
            behind_at_.insert(participant);
            // One that worked until now was replaced when most say so; one that starts stays, and
            // tells of itself.
            if (is_confirmed_ && 2 * behind_at_.size() > config_.participants.size())
                end_later(exit_replaced, judgement.text);
            close_log(judgement.text);
            break;
        case Testimony::replaced: end_later(exit_replaced, judgement.text); break;
        case Testimony::other_log:
            spdlog::error("{}", judgement.text);
            raise_seldom(
                {.kind = "other_log", .subject = participant, .text = judgement.text, .data = {}});
            if (!is_known_)
                end_later(exit_other_log,
                          judgement.text + ". No participant knows the log in " +
                              config_.data.string() +
                              ". Put the folder of the other log back, or, "
                              "if it is lost: recoveryctl succeed --data " +
                              config_.data.string() +
                              " --of IDENTITY --reason TEXT (of each log named above and in the "
                              "lines before). In development: recoveryctl forget-log "
                              "--participant-url URL --reason TEXT");
            else
                heard(participant);
            break;
        default:
            raise_seldom({.kind = judgement.testimony == Testimony::other_store ? "other_store"
                                                                                : "old_store",
                          .subject = participant,
                          .text = judgement.text,
                          .data = {}});
    }
    return {false, judgement.text};
}

bool Service::is_doubtful(const std::string& participant, const http::Response& response) {
    const auto store = read_seen(response.header("Twophase-Store"));
    if (!store) return false;  // a participant of others
    const auto known = seen_.find(participant);
    if (known == seen_.end()) return true;
    wal::SeenStore& seen = known->second;
    if (store->log != seen.store || store->epoch != seen.epoch || store->start != seen.start)
        return true;
    if (store->position > seen.position) {
        seen.position = store->position;
        if (unwritten_seen_.empty())
            seen_alarm_->set(around_.now() + seen_written_after, [this] { write_seen(); });
        unwritten_seen_.insert(participant);
    }
    // Answers come in any order, but none tells of more than this log holds.
    const auto log = read_seen(response.header("Twophase-Known"));
    return log && knows_less_than(*log);
}

bool Service::knows_less_than(const Seen& seen) const {
    const Introduction as_told{
        .is_foreign = false, .is_configured = true, .known = seen, .store = {}};
    return guard_->judge_log("", as_told, position()).testimony == Testimony::behind;
}

void Service::remember(const std::string& participant, const wal::SeenStore& seen) {
    wal::SeenStore& known = seen_[participant];
    const bool is_same = known.store == seen.store && known.epoch == seen.epoch;
    const std::uint64_t position =
        is_same ? std::max(known.position, seen.position) : seen.position;
    wal::SeenStore now = seen;
    now.position = position;
    if (now == known) return;
    known = now;
    log_->remember(participant, known);
}

void Service::write_seen() {
    for (const std::string& participant : std::exchange(unwritten_seen_, {}))
        log_->remember(participant, seen_.at(participant));
}

// --- what follows ---

void Service::heard(const std::string& participant) {
    heard_.insert(participant);
    if (heard_.size() < config_.participants.size()) return;
    end_first_round();
    if (is_moved_) hear_again();
}

/// The file that this log was copied from may still be worked on. Nothing was sent that would fence
/// that off: what it does meanwhile shows when all are heard once more, a while later. Then every
/// participant is to listen to this start, and so to no other: what one was asked before that, it
/// lists in its answer.
void Service::hear_again() {
    if (is_confirmed_ || awaits_acceptance_) return;
    if (is_second_round_) {
        if (unfenced().empty()) return confirm();
        if (!std::exchange(is_fencing_, true)) ask_soon();
        return;
    }
    if (std::exchange(is_second_round_due_, true)) return;
    second_round_alarm_->set(around_.now() + patience, [this] {
        is_second_round_ = true;
        heard_.clear();
        lanes_.ask_again();
    });
}

/// Everybody was heard, or those who will be have had their time.
void Service::end_first_round() {
    if (is_stopped_ || is_ending_ || !closed_for_.empty()) return;
    if (!std::exchange(is_first_round_over_, true)) {
        lanes_.all_are_heard();
        ask_soon();
    }
    if (!is_moved_) confirm();
}

/// Nobody is left who may know more of this log: what waited for that goes on.
void Service::confirm() {
    if (is_confirmed_ || awaits_acceptance_ || !closed_for_.empty()) return;
    is_confirmed_ = true;
    if (std::exchange(is_moved_, false)) {
        wal::Store& store = log_->store();
        store.submit({.work =
                          [&store](wal::Unit& unit) {
                              wal::Store::amend(unit, store, [](wal::StoreIdentity& identity) {
                                  identity.is_moved = false;
                              });
                          },
                      .then = {},
                      .label = "confirmed"});
        spdlog::info("no participant knows more of this log than it holds: it goes on");
    }
    std::vector<Gid> waiting;
    for (const auto& [gid, t] : core_.transactions())
        if (t.phase == Phase::unconfirmed) waiting.push_back(gid);
    for (const Gid& gid : waiting) perform(core_.resume(gid, around_.now(), undecided(gid)));
    arm_tick();
    for (const InDoubt& branch : std::exchange(strangers_, {})) found_in_doubt(branch);
    ask_soon();
}

/// Those whose lanes are not open; once this turn is over.
void Service::ask_soon() {
    around_.post([this] {
        if (!is_stopped_) lanes_.ask_again();
    });
}

void Service::close_log(const std::string& why) {
    if (!std::exchange(closed_for_, why).empty()) return;
    core_.hold_undecided();
    lanes_.close(why);
    spdlog::critical("the log is closed: {}", why);
    raise_seldom({.kind = "log_behind", .subject = config_.id, .text = why, .data = {}});
}

/// Nothing is sent any more; the process ends once its alert has had time to leave.
void Service::end_later(int exit_code, const std::string& why) {
    if (std::exchange(is_ending_, true)) return;
    core_.hold_undecided();
    lanes_.close(why);
    if (closed_for_.empty()) closed_for_ = why;
    raise_seldom({.kind = "replaced", .subject = config_.id, .text = why, .data = {}});
    end_alarm_->set(around_.now() + end_delay, [this, exit_code, why] { stop_(exit_code, why); });
}

/// A supervisor may start this program every second: it tells of the same only once an hour.
void Service::raise_seldom(recovery::Alert alert) {
    wal::Store& store = log_->store();
    const std::string name = alerted_name(alert.kind + " " + alert.subject);
    const std::uint64_t now = wall_milliseconds() / 1'000;
    const std::uint64_t last = store.number(name);
    if (last <= now && now < last + alert_again_after) {
        spdlog::debug("{}: {}", alert.kind, alert.text);
        return;
    }
    store.submit({.work = [&store, name, now](
                              wal::Unit& unit) { wal::Store::raise(unit, store, name, now); },
                  .then = {},
                  .label = "alerted"});
    alerts_.raise(std::move(alert));
}

// --- a person's word ---

Service::Accepting Service::accept(const std::set<std::string>& left_out,
                                   const std::string& who,
                                   const std::string& reason,
                                   std::function<void(wal::Written)> then) {
    if (is_confirmed_ || !closed_for_.empty() || (!awaits_acceptance_ && !is_moved_))
        return Accepting::nothing_to_accept;
    const auto is_missing = [&](const std::string& name) { return !left_out.contains(name); };
    const std::vector<std::string> lacking = awaits_acceptance_ ? unlisted() : unheard();
    if (std::ranges::any_of(lacking, is_missing)) return Accepting::not_heard;
    wal::Store& store = log_->store();
    store.submit({.work =
                      [&store](wal::Unit& unit) {
                          wal::Store::amend(unit, store, [](wal::StoreIdentity& identity) {
                              identity.awaits_acceptance = identity.is_moved = false;
                          });
                      },
                  .then =
                      [this, who, reason, then = std::move(then)](wal::Written written) {
                          if (written == wal::Written::durable && !is_stopped_) {
                              spdlog::warn("log {} accepted by {}: {}", log_text_, who, reason);
                              alerts_.raise({.kind = "log_accepted",
                                             .subject = log_text_,
                                             .text = who + ": " + reason,
                                             .data = {},
                                             .is_event = true});
                              awaits_acceptance_ = is_moved_ = false;
                              is_first_round_over_ = true;
                              lanes_.all_are_heard();
                              confirm();
                              lanes_.release_new_work();
                              lanes_.ask_again();
                          }
                          then(written);
                      },
                  .label = "accepted"});
    return Accepting::accepted;
}

void Service::accept_store(const std::string& participant,
                           const std::string& who,
                           const std::string& reason,
                           std::function<void(wal::Written)> then) {
    log_->forget_store(
        participant, [this, participant, who, reason, then = std::move(then)](wal::Written w) {
            if (w == wal::Written::durable && !is_stopped_) {
                spdlog::warn("store of {} accepted by {}: {}", participant, who, reason);
                alerts_.raise({.kind = "store_accepted",
                               .subject = participant,
                               .text = who + ": " + reason,
                               .data = {},
                               .is_event = true});
                seen_.erase(participant);
                unwritten_seen_.erase(participant);
                lanes_.ask_again();
            }
            then(w);
        });
}

}  // namespace twophase::coordinator
