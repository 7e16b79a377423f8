// The chain of hashes through the audit log, walked entry by entry: wherever the entries come from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace twophase::participants {

/// What the store counts: how many entries there are, and the last one's hash.
struct AuditHead {
    std::uint64_t count = 0;
    std::string hash;
};

/// Finds the first entry that was altered, removed or put elsewhere. It finds whatever was done to
/// single entries, the last ones too, as their number is kept apart from them. It can't find a log
/// that was written anew from some entry to its end, head included, as there is no secret in the
/// hashes: who wants to notice that keeps a head elsewhere.
class AuditChain {
public:
    /// `head` as it was at some time before the walk or at it.
    explicit AuditChain(AuditHead head) : head_(std::move(head)) {}

    /// The next entry, as the store or an export holds it.
    void add(std::string_view entry);

    /// After the last: the first thing that is wrong, as text, or nothing.
    std::optional<std::string> finish() const;

    /// Entries so far.
    std::uint64_t count() const { return count_; }
    /// The last entry's hash, while nothing was found.
    const std::string& hash() const { return previous_; }

private:
    std::optional<std::string> fault_of(std::string_view entry);

    AuditHead head_;
    std::uint64_t count_ = 0;
    std::uint64_t expected_ = 1;
    std::string previous_;              // hash of the entry before the expected one
    std::uint64_t stands_instead_ = 0;  // of the expected one; 0: the chain is whole so far
    std::optional<std::string> found_;
};

/// SHA-256 in lower-case hex.
std::string sha256(std::string_view bytes);

}  // namespace twophase::participants
