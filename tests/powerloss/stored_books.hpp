// The books of the three programs as their stores hold them, read with the programs' own code.
#pragma once

#include "coordinator/protocol/folded.hpp"
#include "participants/branch.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace twophase::powerloss {

/// What the coordinator's log holds.
struct LogBooks {
    std::string fault;
    std::uint64_t epoch = 0;  // of this opening
    std::uint64_t gid_ceiling = 0;
    std::map<std::string, coordinator::Folded> transactions;  // by gid
    std::map<std::string, std::string> gids;                  // by business id
};

/// What a participant's store holds of each transaction: one branch at most.
struct BranchBooks {
    std::string fault;
    std::uint64_t coordinator_epoch = 0;                        // the highest it has seen
    std::map<std::string, participants::BranchState> branches;  // by gid
    std::map<std::string, std::size_t> rows;                    // of the kind's own tables
};

/// Open a store as its program does, barrier included, and read all of it. `fault` says what is
/// wrong inside it; wal::StoreError when it doesn't open.
LogBooks read_log(const std::filesystem::path& store);
BranchBooks read_credit(const std::filesystem::path& store);
BranchBooks read_coupon(const std::filesystem::path& store);

}  // namespace twophase::powerloss
