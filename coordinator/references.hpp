// References in payloads: a string that is exactly `${branch_id.result.name}` stands for a member
// of an earlier branch's result.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::coordinator {

struct Reference {
    std::string branch_id;
    std::string name;  // of a member of that branch's result
};

/// Every reference in this payload (JSON text), in its order. Other strings, also those that only
/// contain one, are nobody's business.
std::vector<Reference> references_in(std::string_view payload);

/// The result of a branch as JSON text; empty: it gave none.
using ResultOf = std::function<std::string_view(std::string_view branch_id)>;

/// A payload with every reference replaced by what it names, its type kept.
struct FilledPayload {
    std::string text;       // JSON
    std::string objection;  // else: which name a result lacks, or that it would be too large
};

/// `most_bytes`: of the payload, about.
FilledPayload with_results(std::string_view payload,
                           const ResultOf& result_of,
                           std::size_t most_bytes);

}  // namespace twophase::coordinator
