// What a transaction's branches say of each other: order, references, retries; by mode.
#pragma once

#include "coordinator/protocol/records.hpp"

#include <optional>
#include <string>
#include <vector>

namespace twophase::coordinator {

/// Why branches can't be carried out so: `code` of the 422, and a sentence.
struct PlanFault {
    std::string code;
    std::string detail;
};

/// Checks the branches and fills in what they leave unsaid: the steps of a saga in which none says
/// `after` (`says_after`) come one after the other; and a step comes directly after every step that
/// it names a result of. What can't be carried out is left as it was.
std::optional<PlanFault> complete_plan(Mode mode,
                                       bool says_after,
                                       std::vector<BranchRequest>& branches);

}  // namespace twophase::coordinator
