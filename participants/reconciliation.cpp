#include "participants/reconciliation.hpp"

#include "http/problem.hpp"
#include "participants/branch_books.hpp"
#include "participants/calls.hpp"
#include "participants/comparing.hpp"
#include "participants/record.hpp"
#include "participants/second_look.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <deque>
#include <exception>
#include <stop_token>
#include <thread>
#include <utility>

namespace twophase::participants {
namespace {

// In one report; more are counted and not looked at, as then something larger is wrong.
constexpr std::size_t most_findings = 1'000;

/// What the thread brings back.
struct LookAround {
    std::map<std::string, std::size_t> checked;
    std::vector<Finding> findings;
    std::size_t found = 0;
    std::string fault;
};

LookAround look_around(const std::vector<BooksWalk>& walks,
                       const wal::Store& store,
                       const std::stop_token& stop) {
    LookAround seen;
    for (const BooksWalk& walk : walks) {
        std::string after;
        do {
            BooksPage page = walk.step(store.snapshot(), after, stop);
            seen.checked[walk.what] += page.checked;
            seen.found += page.findings.size();
            for (Finding& finding : page.findings)
                if (seen.findings.size() < most_findings)
                    seen.findings.push_back(std::move(finding));
            after = std::move(page.next);
        } while (!after.empty() && !stop.stop_requested());
    }
    return seen;
}

}  // namespace

struct Reconciliation::State : std::enable_shared_from_this<State> {
    State(Parts the_parts, ReconciliationOptions with, Alert the_alert, Done when_ended)
        : parts(std::move(the_parts)),
          table_of(parts.table_of),
          options(std::move(with)),
          alert(std::move(the_alert)),
          ended(std::move(when_ended)),
          books(table_of, parts.kind),
          walks(books.walks()),
          second_look({.participant = options.participant, .correct_below = options.correct_below},
                      table_of,
                      parts.branches.audit(),
                      parts.kind),
          acknowledgements(table_of),
          schedule(parts.around.alarm()),
          pause(parts.around.alarm()) {
        for (const auto& [id, endpoint] : options.coordinators)
            peers.emplace(id, parts.around.peer(endpoint, 1));
    }

    void run_later() {
        if (options.every.count() == 0 || is_stopped) return;
        schedule->set(parts.around.now() + options.every, [self = shared_from_this()] {
            self->run([](const ReconciliationReport&) {});
            self->run_later();
        });
    }

    void run(Done done) {
        if (is_stopped) return;
        waiting.push_back(std::move(done));
        if (is_running) return;
        is_running = true;
        report = {};
        report.started_at = parts.clock().microseconds;
        to_compare.clear();
        for (const auto& [id, endpoint] : options.coordinators) to_compare.push_back(id);
        look();
    }

    // --- the books among themselves ---

    void look() {
        const wal::Store& store = parts.queue.store();
        thread = std::jthread([this, &store, weak = weak_from_this()](const std::stop_token& stop) {
            LookAround seen;
            try {
                seen = look_around(walks, store, stop);
            } catch (const std::exception& error) {
                seen.fault = error.what();
            }
            if (stop.stop_requested()) return;
            parts.around.post([weak, seen = std::move(seen)]() mutable {
                const auto self = weak.lock();
                if (self && !self->is_stopped) self->looked(std::move(seen));
            });
        });
    }

    void looked(LookAround seen) {
        report.checked = std::move(seen.checked);
        report.found = seen.found - seen.findings.size();  // those that nobody looks at again
        if (report.found > 0) report.fault = "more findings than are looked at";
        if (!seen.fault.empty()) report.fault = std::move(seen.fault);
        settle(std::move(seen.findings), [this] { compare_next(); });
    }

    /// One after the other, so that a run never fills the queue.
    void settle(std::vector<Finding> findings, std::function<void()> then) {
        to_settle.assign(std::make_move_iterator(findings.begin()),
                         std::make_move_iterator(findings.end()));
        when_settled = std::move(then);
        settle_next();
    }

    void settle_next() {
        if (is_stopped) return;
        if (to_settle.empty()) return std::exchange(when_settled, nullptr)();
        auto finding = std::make_shared<Finding>(std::move(to_settle.front()));
        auto seen = std::make_shared<Finding>();
        auto is_still_so = std::make_shared<bool>(false);
        to_settle.pop_front();
        parts.queue.submit({
            .work =
                [self = shared_from_this(), finding, seen, is_still_so, moment = parts.clock()](
                    wal::Unit& unit) {
                    *seen = *finding;  // it may run twice
                    *is_still_so = self->second_look.settle(unit, *seen, moment);
                },
            .then =
                [self = shared_from_this(), finding, seen, is_still_so](Fate fate) {
                    if (fate != Fate::durable) self->not_written(*finding, fate);
                    if (fate == Fate::durable && *is_still_so) self->keep(std::move(*seen));
                    self->settle_next();
                },
            .is_new_work = true,
            .label = "reconcile",
        });
    }

    void not_written(Finding finding, Fate fate) {
        report.fault = fate == Fate::no_room ? "no room to write a finding down"
                                             : "a finding leads to a damaged record";
        keep(std::move(finding));
    }

    void keep(Finding finding) {
        ++report.found;
        if (finding.is_corrected) ++report.corrected;
        if (!finding.acknowledged.empty()) {
            ++report.acknowledged;
            if (report.findings.size() < most_findings)
                report.findings.push_back(std::move(finding));
            return;
        }
        spdlog::error("inconsistency {} of {}: recorded {}, calculated {}{} {}",
                      finding.kind,
                      finding.subject,
                      finding.recorded,
                      finding.calculated,
                      finding.is_corrected ? ", corrected" : "",
                      finding.text);
        if (!finding.is_corrected && alert) alert(finding);
        if (report.findings.size() < most_findings) report.findings.push_back(std::move(finding));
    }

    // --- against the coordinators' logs ---

    void compare_next() {
        if (to_compare.empty()) return finish();
        report.compared.push_back({.coordinator = to_compare.front()});
        to_compare.pop_front();
        ask("");
    }

    /// The page is read before the log is, so what the log says of it can only be newer.
    void ask(const std::string& after) {
        if (is_stopped) return;
        ReconciliationReport::Compared& now = report.compared.back();
        auto page = std::make_shared<BranchPage>();
        try {
            *page = branches_to_compare(
                parts.queue.store().snapshot(), table_of, now.coordinator, after, parts.clock());
        } catch (const DamagedRecord& damage) {
            now.fault =
                "what is known of this coordinator is damaged: " + std::string(damage.what());
            now.is_damaged = true;
            return settle({damaged_record("coordinators", now.coordinator)},
                          [this] { compare_next(); });
        }
        http::Call call;
        call.method = "POST";
        call.target = "/v1/comparisons";
        call.body = comparison_body(options.participant, options.former_names, *page);
        peers.at(now.coordinator)
            ->send(std::move(call),
                   options.timeout,
                   [self = shared_from_this(), page](const http::Result<http::Response>& result) {
                       if (!self->is_stopped) self->answered(*page, result);
                   });
    }

    void answered(const BranchPage& page, const http::Result<http::Response>& result) {
        ReconciliationReport::Compared& now = report.compared.back();
        now.fault = result ? "" : result.error().message();
        const auto compared =
            result ? read_comparison(*result, now.coordinator, page, now.fault) : std::nullopt;
        if (!compared) {
            spdlog::warn("not reconciled with {}: {}", now.coordinator, now.fault);
            return compare_next();
        }
        now.fault.clear();
        now.of_replaced_logs += compared->of_replaced_logs;
        now.has_forgotten_later_ones |= compared->has_forgotten_later_ones;
        const std::string through = compared->through.empty() ? page.through : compared->through;
        count(page, through);
        now.not_compared += compared->not_compared;
        now.branches -= std::min(now.branches, compared->not_compared);
        settle(compared->findings, [this, through] {
            if (!through.empty()) return ask_later(through);
            end_comparison();
            compare_next();
        });
    }

    /// What of a page was compared, up to `through`; what comes after it comes with the next page.
    void count(const BranchPage& page, const std::string& through) {
        ReconciliationReport::Compared& now = report.compared.back();
        const auto is_in = [&](const std::string& gid) {
            return through.empty() || gid <= through;
        };
        for (const BranchPage::Item& item : page.items) {
            if (!is_in(item.gid)) continue;
            ++now.branches;
            if (!item.is_ahead) continue;
            ++now.ahead;
            now.highest_ahead = item.gid;
        }
        now.not_compared +=
            static_cast<std::size_t>(std::ranges::count_if(page.not_askable, is_in));
    }

    void end_comparison() {
        ReconciliationReport::Compared& now = report.compared.back();
        now.is_through = true;
        now.is_whole = now.not_compared == 0;
        if (!now.is_whole)
            now.fault = std::to_string(now.not_compared) +
                        " branches could not be compared: the log can't read their transactions, "
                        "or never gives such ids";
    }

    void ask_later(const std::string& after) {
        pause->set(parts.around.now() + options.pause,
                   [self = shared_from_this(), after] { self->ask(after); });
    }

    void finish() {
        report.finished_at = parts.clock().microseconds;
        is_running = false;
        if (report.found > report.acknowledged || !report.is_whole())
            spdlog::warn("reconciliation: {} findings, {} corrected{}",
                         report.found,
                         report.corrected,
                         report.is_whole() ? "" : "; it could not look at everything");
        last = report;
        if (ended) ended(*last);
        for (const Done& done : std::exchange(waiting, {})) done(*last);
    }

    void acknowledge(const std::string& kind,
                     const std::string& subject,
                     const std::string& reason,
                     const Origin& who,
                     http::Respond respond) {
        Finding* found = last ? find(*last, kind, subject) : nullptr;
        if (found == nullptr)
            return respond(http::problem(404,
                                         "unknown-finding",
                                         "the last reconciliation has no such finding that was "
                                         "left alone: run one, and name "
                                         "kind and subject as it does"));
        const Moment moment = parts.clock();
        const Finding finding = *found;
        auto entry = second_look.acknowledgement_entry(finding, reason, who, moment);
        parts.queue.submit({
            .work =
                [self = shared_from_this(), finding, reason, who, moment, entry](wal::Unit& unit) {
                    self->acknowledgements.add(unit, finding, reason, who, moment);
                    self->parts.branches.audit().append(unit, entry);
                },
            .then =
                [self = shared_from_this(), finding, reason, respond = std::move(respond)](
                    Fate fate) {
                    if (fate != Fate::durable) return respond(not_done(fate));
                    self->note_acknowledged(finding, reason);
                    respond(http::json_response({{"acknowledged", true}, {"reason", reason}}));
                },
            .label = "acknowledge",
        });
    }

    static Finding* find(ReconciliationReport& in,
                         const std::string& kind,
                         const std::string& subject) {
        const auto found = std::ranges::find_if(in.findings, [&](const Finding& each) {
            return each.kind == kind && each.subject == subject && !each.is_corrected;
        });
        return found == in.findings.end() ? nullptr : &*found;
    }

    void note_acknowledged(const Finding& finding, const std::string& reason) {
        Finding* known = find(*last, finding.kind, finding.subject);
        const bool is_same = known != nullptr && known->recorded == finding.recorded &&
                             known->calculated == finding.calculated;
        if (!is_same) return;  // another run has ended meanwhile
        if (known->acknowledged.empty()) ++last->acknowledged;
        known->acknowledged = reason;
    }

    Parts parts;
    TableOf table_of;
    ReconciliationOptions options;
    Alert alert;
    Done ended;
    BranchBooks books;
    std::vector<BooksWalk> walks;
    SecondLook second_look;
    Acknowledgements acknowledgements;
    std::unique_ptr<recovery::Alarm> schedule;
    std::unique_ptr<recovery::Alarm> pause;
    std::map<std::string, std::unique_ptr<recovery::Peer>> peers;
    std::vector<Done> waiting;
    bool is_running = false;
    bool is_stopped = false;
    ReconciliationReport report;
    std::optional<ReconciliationReport> last;
    std::deque<std::string> to_compare;
    std::deque<Finding> to_settle;
    std::function<void()> when_settled;
    std::jthread thread;  // last: joined while what it reads is still there
};

Reconciliation::Reconciliation(Parts parts, ReconciliationOptions options, Alert alert, Done ended)
    : state_(std::make_shared<State>(
          std::move(parts), std::move(options), std::move(alert), std::move(ended))) {}

Reconciliation::~Reconciliation() { stop(); }

void Reconciliation::start() { state_->run_later(); }

void Reconciliation::stop() {
    state_->is_stopped = true;
    state_->schedule->cancel();
    state_->pause->cancel();
    for (auto& [id, peer] : state_->peers) peer->close();
    if (!state_->thread.joinable()) return;
    state_->thread.request_stop();
    state_->thread.join();
}

void Reconciliation::run(Done done) { state_->run(std::move(done)); }

void Reconciliation::acknowledge(const std::string& kind,
                                 const std::string& subject,
                                 const std::string& reason,
                                 const Origin& who,
                                 http::Respond respond) {
    state_->acknowledge(kind, subject, reason, who, std::move(respond));
}

bool Reconciliation::is_running() const { return state_->is_running; }

const std::optional<ReconciliationReport>& Reconciliation::last() const { return state_->last; }

}  // namespace twophase::participants
