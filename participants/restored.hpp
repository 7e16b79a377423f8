// A store that was made out of a backup lacks what came after it: it takes part in nothing until
// its books were held against every coordinator's log.
#pragma once

#include "http/message.hpp"
#include "participants/audit.hpp"
#include "participants/messages.hpp"
#include "participants/reconciliation.hpp"
#include "participants/request_queue.hpp"
#include "recovery/surroundings.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace twophase::participants {

/// Keeps a restored store closed until a reconciliation was whole and found nothing, or a person
/// accepts what it found. Both are durable: the next start is open. Belongs to the loop.
class RestoredGate {
public:
    struct Options {
        std::string participant;  // our name
        /// Branches that the backup has in doubt are asked about first: the first reconciliation
        /// comes this long after the start, and the next ones as long after each that wasn't whole.
        std::chrono::milliseconds wait{10'000};
    };
    /// All arguments must outlive this.
    RestoredGate(recovery::Surroundings& around,
                 Options options,
                 RequestQueue& queue,
                 const Audit& audit,
                 Clock clock);
    ~RestoredGate();
    RestoredGate(const RestoredGate&) = delete;
    RestoredGate& operator=(const RestoredGate&) = delete;

    bool is_closed() const;
    /// Of a closed store: the answer to a request that has to wait; nothing for those that needn't.
    std::optional<http::Response> refusal(const http::Request& request) const;
    /// 503 `restored` that says what is waited for.
    http::Response why() const;

    /// Begins to reconcile a closed store.
    void start(Reconciliation& reconciliation);
    void stop();
    /// What a run came to, whoever asked for it.
    void reconciled(const ReconciliationReport& report);

    /// A person takes the books as they are. `respond` gets 200 once that is durable; 409 when the
    /// store isn't closed or wasn't reconciled yet.
    void accept(const std::string& reason, const Origin& who, http::Respond respond);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace twophase::participants
