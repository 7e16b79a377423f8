// What a coordinator's log tells of one branch: GET
// {coordinator}/v1/transactions/{gid}/branches/{id}.
#pragma once

#include <string>

namespace twophase::participants {

struct BranchEvidence {
    std::string gid;
    std::string branch_id;
    std::string participant;  // as the transaction names it
    std::string coordinator;
    std::string mode;      // "two_phase", "saga" or "eventual"
    std::string decision;  // "commit" or "rollback"; empty: none yet
    std::string end;       // "committed", "executed", "by_hand", ...; empty: not over
    std::string vote;      // "prepared", "executed", ...
    std::string operation;
    std::string payload;  // canonical JSON
    std::string business_code;
    std::string business_id;
    std::string prepare_id;
    std::string result;      // of prepare or execute: canonical JSON, or empty
    std::string end_result;  // of its end
};

}  // namespace twophase::participants
