#include "coordinator/transaction_metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <string>
#include <variant>

namespace twophase::coordinator {
namespace {

constexpr std::array<const char*, 4> outcome_names{
    "committed", "rolled_back", "heuristic", "not_started"};

bool is_counted(const Record& record) {
    const auto* branch = std::get_if<BranchDone>(&record);
    if (branch != nullptr) return branch->how == How::dead_letter;
    return !std::holds_alternative<Started>(record) && !std::holds_alternative<StepDone>(record);
}

}  // namespace

TransactionMetrics::TransactionMetrics(recovery::Metrics& metrics,
                                       const recovery::Surroundings& around)
    : around_(around),
      dead_letters_(metrics.counter("twophase_dead_letters_total",
                                    "Deliveries given up after their last try.")),
      failed_deliveries_(metrics.counter("twophase_delivery_failures_total",
                                         "Failed tries of deliveries whose tries are counted.")) {
    for (const Mode mode : {Mode::two_phase, Mode::saga, Mode::eventual}) {
        const std::string name(to_text(mode));
        for (std::size_t i = 0; i < outcomes; ++i)
            of(mode).by_outcome[i] =
                &metrics.counter("twophase_transactions_total",
                                 "Transactions that ended, by what became of them.",
                                 {{"mode", name}, {"outcome", outcome_names[i]}});
        for (const Decision decision : {Decision::commit, Decision::rollback})
            of(mode).until_decision[static_cast<std::size_t>(decision)] =
                &metrics.durations("twophase_transaction_decision_duration_seconds",
                                   "From a submission to its decision on disk.",
                                   {{"mode", name}, {"decision", std::string(to_text(decision))}});
        of(mode).until_end = &metrics.durations("twophase_transaction_duration_seconds",
                                                "From a submission to its end on disk.",
                                                {{"mode", name}});
    }
    for (std::size_t i = 0; i < submissions_.size(); ++i)
        submissions_[i] =
            &metrics.counter("twophase_submissions_total",
                             "Submissions of the right form, by what became of them at the door.",
                             {{"result", std::string(to_text(static_cast<Admitted::Kind>(i)))}});
}

void TransactionMetrics::note(Admitted::Kind kind) {
    submissions_[static_cast<std::size_t>(kind)]->Increment();
}

void TransactionMetrics::note(const Event& event, const Protocol& core) {
    if (const auto* submitted = std::get_if<Submitted>(&event)) {
        came_[submitted->started.gid] = around_.fine_now();
    } else if (const auto* done = std::get_if<Logged>(&event)) {
        // Most records say nothing that is counted: no look-up for them.
        if (!is_counted(done->record)) return;
        if (const Transaction* t = core.find(gid_of(done->record))) logged(done->record, *t);
    } else if (const auto* undone = std::get_if<Unlogged>(&event)) {
        const Transaction* t = core.find(undone->gid);
        if (came_.erase(undone->gid) > 0 && t != nullptr)
            of(t->mode()).by_outcome[not_started]->Increment();
    }
}

void TransactionMetrics::logged(const Record& record, const Transaction& t) {
    OfMode& mode = of(t.mode());
    if (const auto* decided = std::get_if<Decided>(&record)) {
        time(*mode.until_decision[static_cast<std::size_t>(decided->decision)], decided->gid);
    } else if (const auto* finished = std::get_if<Finished>(&record)) {
        const bool is_commit = t.folded.decision == Decision::commit;
        mode.by_outcome[finished->is_heuristic ? heuristic
                        : is_commit            ? committed
                                               : rolled_back]
            ->Increment();
        time(*mode.until_end, finished->gid);
        came_.erase(finished->gid);
    } else if (std::holds_alternative<BranchDone>(record)) {
        dead_letters_.Increment();
    } else if (std::holds_alternative<DeliveryFailed>(record)) {
        failed_deliveries_.Increment();
    }
}

void TransactionMetrics::time(prometheus::Histogram& durations, const Gid& gid) const {
    const auto came = came_.find(gid);
    if (came == came_.end()) return;
    durations.Observe(std::chrono::duration<double>(around_.fine_now() - came->second).count());
}

}  // namespace twophase::coordinator
