#include "participants/resource.hpp"

namespace twophase::participants {

Work work_of(const std::string& gid,
             const std::string& branch_id,
             const Branch& branch,
             const std::string& reason) {
    return {.gid = gid,
            .branch_id = branch_id,
            .operation = branch.operation,
            .payload = branch.payload,
            .business_code = branch.business_code,
            .business_id = branch.business_id,
            .note = branch.note,
            .reason = reason};
}

Refusal invalid_payload(std::string_view field, std::string_view expected) {
    const std::string path = field.empty() ? "payload" : "payload." + std::string(field);
    return {.status = 422,
            .code = "invalid-payload",
            .reason = "",
            .message = path + ": expected " + std::string(expected),
            .field = path};
}

Refusal unknown_operation(std::string_view operation) {
    return {.status = 422,
            .code = "unknown-operation",
            .reason = "",
            .message = "this participant has no operation \"" + std::string(operation) + "\"",
            .field = "operation"};
}

Refusal refused(std::string_view reason, std::string_view message) {
    Refusal refusal;
    refusal.reason = reason;
    refusal.message = message;
    return refusal;
}

Refusal cannot_compensate(std::string_view reason, std::string_view message) {
    Refusal refusal = refused(reason, message);
    refusal.code = "cannot_compensate";
    return refusal;
}

std::string Resource::note_of(const Rows&, const Work&, const std::string&) const { return ""; }

}  // namespace twophase::participants
