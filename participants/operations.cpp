#include "participants/operations.hpp"

#include "participants/record.hpp"

#include <utility>

namespace twophase::participants {
namespace {

constexpr const char* series = "operations";

/// What a request did, kept for its repeats.
struct Performed {
    std::string results;  // JSON array
    std::int64_t created_at = 0;

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.results);
        visit(self.created_at);
    }
};

DirectKey direct_key(const OperationsRequest& request) {
    return {series, request.business_code, request.business_id};
}

/// Entries have numbers of their own, so these look different.
std::string transaction_id(std::uint64_t number) { return "op-" + std::to_string(number); }

Work work_of(const OperationsRequest& request, const Operation& operation) {
    Work work;
    work.operation = operation.name;
    work.payload = operation.payload;
    work.business_code = request.business_code;
    work.business_id = request.business_id;
    work.lock_token = operation.lock_token;
    return work;
}

AuditEntry entry_of(AuditEntry entry, const OperationsRequest& request, std::string operation) {
    entry.operation = std::move(operation);
    entry.business_code = request.business_code;
    entry.business_id = request.business_id;
    return entry;
}

template <class Source>
Performed performed(const Source& source, wal::Table table, std::uint64_t number) {
    const std::string key = key_of(number);
    auto found = read<Performed>(source, table, key);
    if (!found) throw DamagedRecord(key);
    return *std::move(found);
}

}  // namespace

Operations::Operations(Resource& resource, const Audit& audit, const TableOf& table_of)
    : resource_(resource),
      audit_(audit),
      calls_(table_of),
      operations_(table_of("operations")),
      numbers_(table_of("numbers")) {}

std::string Operations::results_in(std::string_view key, std::string_view value) {
    return decode<Performed>(key, value).results;
}

OperationsOutcome Operations::carry_out(wal::Unit& unit,
                                        const OperationsRequest& request,
                                        const AuditEntry& entry,
                                        const Moment& moment) const {
    const auto before = calls_.find(unit, direct_key(request));
    if (!before) return first(unit, request, entry, moment);
    OperationsOutcome outcome;
    if (before->request != request.canonical) {
        outcome.refusal = payload_changed();
        return outcome;
    }
    outcome.is_repeat = true;
    outcome.transaction_id = transaction_id(before->number);
    outcome.results = performed(unit, operations_, before->number).results;
    return outcome;
}

OperationsOutcome Operations::first(wal::Unit& unit,
                                    const OperationsRequest& request,
                                    const AuditEntry& entry,
                                    const Moment& moment) const {
    OperationsOutcome outcome;
    outcome.results = "[";
    for (std::size_t i = 0; i < request.operations.size(); ++i) {
        const Operation& operation = request.operations[i];
        Step step = resource_.execute(unit, work_of(request, operation), moment);
        if (step.refusal) {
            outcome.refusal = std::move(step.refusal);
            outcome.refused = i;
            outcome.change = std::move(step.change);
            return outcome;
        }
        AuditEntry done = entry_of(entry, request, operation.name);
        done.change = std::move(step.change);
        audit_.append(unit, done);
        // The name is one that the resource knows, and the result is its JSON.
        outcome.results.append(i == 0 ? "" : ",")
            .append(R"({"operation":")")
            .append(operation.name)
            .append(R"(","result":)")
            .append(step.result.empty() ? "null" : step.result)
            .append("}");
    }
    outcome.results += "]";
    const std::uint64_t number = next_number(unit, numbers_, series);
    outcome.transaction_id = transaction_id(number);
    write(unit,
          operations_,
          key_of(number),
          Performed{.results = outcome.results, .created_at = moment.microseconds});
    calls_.remember(unit, direct_key(request), {.request = request.canonical, .number = number});
    return outcome;
}

void Operations::record_refusal(wal::Unit& unit,
                                const OperationsRequest& request,
                                const OperationsOutcome& outcome,
                                AuditEntry entry) const {
    const Refusal& refusal = *outcome.refusal;
    if (outcome.refused && refusal.reason.empty()) return;
    const std::size_t index = outcome.refused.value_or(0);
    entry = entry_of(std::move(entry), request, request.operations.at(index).name);
    entry.success = false;
    entry.code = refusal.reason.empty() ? refusal.code : refusal.reason;
    entry.change = outcome.change;
    // The operations before it never happened, and so neither did the state that they led to.
    if (index > 0) entry.change.before_state = entry.change.after_state = "";
    audit_.append(unit, entry);
}

std::vector<Operations::Found> Operations::find(const wal::Reader& reader,
                                                const std::string& business_code,
                                                const std::string& business_id) const {
    std::vector<Found> all;
    for (const char* operation : {"grant", "deduct", series}) {
        const auto call = calls_.find(reader, {operation, business_code, business_id});
        if (!call) continue;
        Found found{.operation = operation,
                    .transaction_id = std::to_string(call->number),
                    .request = call->request,
                    .results = "",
                    .created_at = 0};
        if (operation == std::string_view(series)) {
            Performed what = performed(reader, operations_, call->number);
            found.transaction_id = transaction_id(call->number);
            found.results = std::move(what.results);
            found.created_at = what.created_at;
        }
        all.push_back(std::move(found));
    }
    return all;
}

}  // namespace twophase::participants
