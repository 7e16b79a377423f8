#include "participants/restored.hpp"

#include "http/json.hpp"
#include "http/problem.hpp"
#include "participants/calls.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace twophase::participants {
namespace {

using http::Json;

// The store's number of this name is the last start that was open. Each start that is open raises
// it, so a restore, which raises the epoch by restored_epochs_ahead at least, is told from a start.
constexpr const char* open_epoch = "open at epoch";

bool is_restored_since(const wal::Store& store) {
    return store.identity().was_restored &&
           store.number(open_epoch) + wal::restored_epochs_ahead <= store.epoch();
}

/// What a closed store answers all the same: what shows it, and what opens it.
bool may_pass(const http::Request& request) {
    if (request.path.starts_with("/v1/reconciliation") || request.path == "/readyz" ||
        request.path == "/metrics")
        return true;
    // A damaged branch may be what keeps the store closed.
    if (request.method == "POST" && request.path.starts_with("/v1/branches/") &&
        request.path.ends_with("/settle"))
        return true;
    return (request.method == "GET" || request.method == "HEAD") &&
           (request.path.starts_with("/v1/audit") || request.path == "/v1/branches/in-doubt" ||
            request.path == "/v1/branches/list");
}

}  // namespace

struct RestoredGate::State : std::enable_shared_from_this<State> {
    using Done = std::function<void(Fate)>;

    State(recovery::Surroundings& the_surroundings,
          Options with,
          RequestQueue& the_queue,
          const Audit& the_audit,
          Clock the_clock)
        : around(the_surroundings),
          options(std::move(with)),
          queue(the_queue),
          audit(the_audit),
          clock(std::move(the_clock)),
          alarm(around.alarm()),
          is_closed(is_restored_since(queue.store())) {
        if (!is_closed && queue.store().identity().was_restored) raise();
    }

    /// Notes that this start is open.
    void raise() {
        queue.submit({.work =
                          [&store = queue.store()](wal::Unit& unit) {
                              wal::Store::raise(unit, store, open_epoch, store.epoch());
                          },
                      .then = [](Fate) {},
                      .label = "open"});
    }

    void reconcile_later(Reconciliation& reconciliation) {
        alarm->set(around.now() + options.wait, [self = shared_from_this(), &reconciliation] {
            reconciliation.run([self, &reconciliation](const auto& report) {
                if (self->is_closed && !self->is_stopped && !report.is_final())
                    self->reconcile_later(reconciliation);
            });
        });
    }

    void open(std::string operation, const std::string& reason, const Origin& who, Done done) {
        AuditEntry entry;
        entry.service = options.participant;
        entry.operation = std::move(operation);
        entry.origin = who;
        entry.timestamp = clock().microseconds;
        entry.success = true;
        entry.detail = http::dump_replacing(Json{{"reason", reason}});
        queue.submit({
            .work =
                [self = shared_from_this(), entry](wal::Unit& unit) {
                    const wal::Store& store = self->queue.store();
                    wal::Store::raise(unit, store, open_epoch, store.epoch());
                    self->audit.append(unit, entry);
                },
            .then =
                [self = shared_from_this(), done = std::move(done)](Fate fate) {
                    if (fate == Fate::durable) self->is_closed = false;
                    if (fate == Fate::durable) spdlog::warn("the restored store is open");
                    done(fate);
                },
            .label = "open",
        });
    }

    recovery::Surroundings& around;
    Options options;
    RequestQueue& queue;
    const Audit& audit;
    Clock clock;
    std::unique_ptr<recovery::Alarm> alarm;
    bool is_closed;
    bool is_stopped = false;
    bool was_reconciled = false;  // in this start, with every coordinator
    std::string waits_for = "it has not been reconciled with its coordinators yet";
};

RestoredGate::RestoredGate(recovery::Surroundings& around,
                           Options options,
                           RequestQueue& queue,
                           const Audit& audit,
                           Clock clock)
    : state_(std::make_shared<State>(around, std::move(options), queue, audit, std::move(clock))) {}

RestoredGate::~RestoredGate() { stop(); }

bool RestoredGate::is_closed() const { return state_->is_closed; }

std::optional<http::Response> RestoredGate::refusal(const http::Request& request) const {
    if (!state_->is_closed || may_pass(request)) return std::nullopt;
    return why();
}

http::Response RestoredGate::why() const {
    http::Response response =
        http::problem(503,
                      "restored",
                      "this store was made out of a backup and is closed: " + state_->waits_for +
                          " (GET /v1/reconciliation; recoveryctl reconcile)");
    response.headers.push_back({"Retry-After", "5"});
    return response;
}

void RestoredGate::start(Reconciliation& reconciliation) {
    if (!state_->is_closed) return;
    spdlog::warn("the store was made out of a backup: it stays closed until it was reconciled");
    state_->reconcile_later(reconciliation);
}

void RestoredGate::stop() {
    state_->is_stopped = true;
    state_->alarm->cancel();
}

void RestoredGate::reconciled(const ReconciliationReport& report) {
    State& state = *state_;
    if (!state.is_closed) return;
    if (!report.is_final()) {
        state.waits_for = "the last reconciliation could not look at everything";
        return;
    }
    state.was_reconciled = true;
    const auto forgetful = std::ranges::find_if(
        report.compared, [](const auto& with) { return with.has_forgotten_later_ones; });
    if (forgetful != report.compared.end()) {
        state.waits_for =
            "coordinator " + forgetful->coordinator +
            " has forgotten transactions that this backup had not heard to be over: " +
            "whether one is lacking here the log can't tell; a person must look and " +
            "accept that";
        return;
    }
    const auto uncompared = std::ranges::find_if(
        report.compared, [](const auto& with) { return with.not_compared > 0; });
    if (uncompared != report.compared.end()) {
        state.waits_for = "of coordinator " + uncompared->coordinator + " " + uncompared->fault +
                          "; a person must look and accept that";
        return;
    }
    if (report.found > report.corrected) {
        state.waits_for = "a reconciliation found " + std::to_string(report.found) +
                          " inconsistencies; a person must look and accept them";
        return;
    }
    state.open(
        "open_restored", "reconciled, nothing found", {.actor = "reconciliation"}, [](Fate) {});
}

void RestoredGate::accept(const std::string& reason, const Origin& who, http::Respond respond) {
    State& state = *state_;
    if (!state.is_closed)
        return respond(http::problem(409, "not-closed", "this store is open: nothing to accept"));
    if (!state.was_reconciled)
        return respond(http::problem(
            409,
            "not-reconciled",
            "accept what a reconciliation with every coordinator found: none was whole yet"));
    state.open("accept_restored", reason, who, [reason, respond](Fate fate) {
        respond(fate == Fate::durable
                    ? http::json_response({{"accepted", true}, {"reason", reason}})
                    : not_done(fate));
    });
}

}  // namespace twophase::participants
