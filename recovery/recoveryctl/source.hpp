// What can be asked of a coordinator, whether it runs (Remote) or is stopped (Offline).
#pragma once

#include "http/json.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace twophase::recoveryctl {

using http::Json;

struct ListFilter {
    std::string state;  // as of the API, "unfinished" or "urgent"; empty: any
    std::string participant;
    std::string business_code;
    std::string business_id;
};

/// A person's decision. Empty `branch_id`: the whole transaction.
struct ResolveOrder {
    std::string gid;
    std::string branch_id;
    std::string how;  // as of the API: rollback, commit, by_hand, discarded, retry
    std::string reason;
    std::string who;
};

struct ExportPage {
    std::string lines;  // NDJSON
    std::string next;   // where to go on; empty at the end
};

/// Called now and then with the number of transactions done.
using Progress = std::function<void(std::size_t done)>;

/// Answers are the JSON of the coordinator's API. All throw Failure.
class Source {
public:
    Source() = default;
    virtual ~Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;

    /// {items, next}, newest first, below `before` (empty: all).
    virtual Json list(const ListFilter& filter, const std::string& before, std::size_t limit) = 0;
    virtual Json show(const std::string& gid) = 0;
    /// {items, next}, oldest first, above `after` (empty: all).
    virtual Json dead_letters(const std::string& participant, const std::string& after) = 0;
    /// {gid, hurried}
    virtual Json retry(const std::string& gid) = 0;
    /// {gid, resolved, reason}, durable.
    virtual Json resolve(const ResolveOrder& order) = 0;
    /// {transactions, findings}
    virtual Json verify(const Progress& progress) = 0;
    /// {backup}. `target` is a name for a running coordinator, a directory for a stopped one.
    virtual Json back_up(const std::string& target) = 0;
    virtual ExportPage export_page(const std::string& after) = 0;
    /// {items}
    virtual Json participants() = 0;
    virtual Json status() = 0;

    /// The words that lead a command here again, " --data DIR"; empty by default.
    virtual std::string flags() const = 0;
};

}  // namespace twophase::recoveryctl
