// What a reconciliation looked at, what it found, and what it couldn't look at.
#pragma once

#include "participants/finding.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace twophase::participants {

/// What came of one run.
struct ReconciliationReport {
    std::int64_t started_at = 0;  // microseconds since 1970
    std::int64_t finished_at = 0;
    std::map<std::string, std::size_t> checked;  // how many accounts, branches, ...
    struct Compared {
        std::string coordinator;
        std::size_t branches = 0;
        std::size_t of_replaced_logs = 0;
        /// Branches that the log could say nothing of: it isn't whole, and another run will not be.
        std::size_t not_compared = 0;
        std::size_t ahead = 0;      // of the branches: their gids lie ahead of our clock
        std::string highest_ahead;  // the highest such gid
        bool is_through = false;    // every page was answered
        bool is_whole = false;
        std::string fault;                      // why it isn't
        bool has_forgotten_later_ones = false;  // see Compared
        bool is_damaged = false;  // nor will be: what is known of this coordinator is damaged here
        /// How many lie ahead, and up to which time: for people. Empty: none.
        std::string ahead_text() const;
        /// The time of the highest of them (RFC 3339). Empty: none.
        std::string ahead_up_to() const;
    };
    std::vector<Compared> compared;
    std::vector<Finding> findings;  // the first ones
    std::size_t found = 0;          // all of them
    std::size_t corrected = 0;
    std::size_t acknowledged = 0;
    std::string fault;  // why something couldn't be checked or written down

    /// Everything was looked at, and every coordinator answered.
    bool is_whole() const;
    /// Another run will not see more: it is whole, but for what is damaged or can't be compared.
    bool is_final() const;
};

}  // namespace twophase::participants
