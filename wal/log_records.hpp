// Reads one transaction's records and checks them: the way in for recovery, listings and
// forgetting.
#pragma once

#include "wal/log.hpp"

#include <string_view>

namespace twophase::wal {

/// Folds rows of the records table, in key order, into one transaction.
class RecordCheck {
public:
    explicit RecordCheck(const Gid& gid) { read_.gid = gid; }
    /// The next row whose key begins with the gid.
    void add(std::string_view key, std::string_view frame);
    /// What was read, with `damage`. After the last row.
    StoredTransaction take() &&;

private:
    std::string fault_of(std::string_view key, std::string_view frame);
    StoredTransaction read_;
};

}  // namespace twophase::wal
