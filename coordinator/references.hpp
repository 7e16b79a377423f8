// References in payloads: a string that is exactly `${branch_id.result.name}` stands for a member
// of an earlier branch's result. One that only looks so is escaped by one more `$` in front.
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

/// The payload with its references, and what escapes them, written without JSON escapes: what the
/// functions below and the core look for. All else stays byte for byte.
std::string with_plain_references(std::string_view payload);

/// Every reference in this payload (JSON text), in its order. Other strings, also those that only
/// contain one, are nobody's business.
std::vector<Reference> references_in(std::string_view payload);

/// The result of a branch as JSON text; empty: it gave none.
using ResultOf = std::function<std::string_view(std::string_view branch_id)>;

/// A payload as its participant gets it: every reference replaced by the text of what it names, one
/// `$` taken off each escaped one, all else byte for byte.
struct FilledPayload {
    std::string text;       // JSON
    std::string objection;  // else: which name a result lacks, or that it would be too large
};

/// `most_bytes`: of the payload, about.
FilledPayload with_results(std::string_view payload,
                           const ResultOf& result_of,
                           std::size_t most_bytes);

}  // namespace twophase::coordinator
