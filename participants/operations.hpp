// Several operations by one direct call: all of them or none, once per business key.
#pragma once

#include "participants/audit.hpp"
#include "participants/direct_calls.hpp"
#include "participants/resource.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::participants {

struct Operation {
    std::string name;     // as in a branch: "deduct_credits", ...
    std::string payload;  // canonical JSON
    std::optional<std::uint64_t> lock_token = {};
};

struct OperationsRequest {
    std::string business_code;
    std::string business_id;
    std::vector<Operation> operations;
    std::string canonical;  // the operations without their lock tokens
};

struct OperationsOutcome {
    std::optional<Refusal> refusal;
    std::optional<std::size_t> refused;  // which operation; none: the request as a whole
    Change change;                       // what that operation was about
    std::string transaction_id;
    std::string results;  // JSON array of {"operation", "result"}
    bool is_repeat = false;
};

/// The rule, inside one unit, with an audit entry for each operation. The resource does the work,
/// as in an execute, but for nobody's transaction.
class Operations {
public:
    /// `resource` and `audit` must outlive this.
    Operations(Resource& resource, const Audit& audit, const TableOf& table_of);

    /// After a refusal the unit must not be applied: earlier operations have written to it.
    OperationsOutcome carry_out(wal::Unit& unit,
                                const OperationsRequest& request,
                                const AuditEntry& entry,
                                const Moment& moment) const;
    /// The audit's entry of a refusal, in a unit of its own. Malformed requests leave none.
    void record_refusal(wal::Unit& unit,
                        const OperationsRequest& request,
                        const OperationsOutcome& outcome,
                        AuditEntry entry) const;

    /// What a record of the table "operations" says was done: JSON. Throws DamagedRecord.
    static std::string results_in(std::string_view key, std::string_view value);

    struct Found {
        std::string operation;
        std::string transaction_id;
        std::string request;  // canonical JSON
        std::string results;  // of "operations"
        std::int64_t created_at = 0;
    };
    /// All direct calls of this participant that were carried out for this business.
    std::vector<Found> find(const wal::Reader& reader,
                            const std::string& business_code,
                            const std::string& business_id) const;

private:
    OperationsOutcome first(wal::Unit& unit,
                            const OperationsRequest& request,
                            const AuditEntry& entry,
                            const Moment& moment) const;

    Resource& resource_;
    const Audit& audit_;
    DirectCalls calls_;
    wal::Table operations_;
    wal::Table numbers_;
};

}  // namespace twophase::participants
