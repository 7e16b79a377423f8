#include "participants/audit_chain.hpp"

#include "http/json.hpp"
#include "participants/record.hpp"
#include "wal/sha256.hpp"

#include <utility>

namespace twophase::participants {
namespace {

using http::Json;

std::string name(std::uint64_t number) { return "audit entry " + std::to_string(number); }

/// "audit entry 3 was" or "audit entries 3 to 5 were".
std::string range(std::uint64_t first, std::uint64_t last) {
    if (first == last) return name(first) + " was";
    return "audit entries " + std::to_string(first) + " to " + std::to_string(last) + " were";
}

std::string text_of(const Json& entry, const char* member) {
    const auto found = entry.find(member);
    return found != entry.end() && found->is_string() ? found->get<std::string>() : "";
}

std::uint64_t seq_of(const Json& entry) {
    if (!entry.is_object()) return 0;
    const auto found = entry.find("seq");
    if (found == entry.end()) return 0;
    const auto seq = http::exact_integer(*found);
    return seq && *seq > 0 ? static_cast<std::uint64_t>(*seq) : 0;
}

}  // namespace

void AuditChain::add(std::string_view entry) {
    ++count_;
    if (!found_) found_ = fault_of(entry);
}

/// What is wrong with the entry that stands where the expected one has to; moves on when nothing.
std::optional<std::string> AuditChain::fault_of(std::string_view text) {
    Json entry = Json::parse(text, nullptr, false);
    const std::uint64_t seq = seq_of(entry);
    if (stands_instead_ != 0) {
        if (seq != expected_) return std::nullopt;
        return name(expected_) + " was put elsewhere: " + name(stands_instead_) +
               " stands in its place";
    }
    if (seq == 0) return name(expected_) + " was altered";
    if (seq < expected_)
        return name(seq) + " was put elsewhere: it stands where " + name(expected_) + " has to";
    if (seq > expected_) {
        stands_instead_ = seq;  // removed, unless it comes later
        return std::nullopt;
    }
    const std::string previous = text_of(entry, "previous_hash");
    const std::string hash = text_of(entry, "hash");
    entry.erase("hash");
    entry.erase("previous_hash");
    if (sha256(previous + http::dump_replacing(entry)) != hash)
        return name(expected_) + " was altered";
    if (previous != previous_)  // this one fits its own hash, so it's the one before that doesn't
        return expected_ == 1 ? name(1) + " was altered: it names one before it"
                              : name(expected_ - 1) + " was altered: " + name(expected_) +
                                    " knows it by another hash";
    if (expected_ == head_.count && hash != head_.hash)
        return name(expected_) + " was altered: the store knows it by another hash";
    previous_ = hash;
    ++expected_;
    return std::nullopt;
}

std::optional<std::string> AuditChain::finish() const {
    if (found_) return found_;
    if (stands_instead_ != 0) return range(expected_, stands_instead_ - 1) + " removed";
    if (expected_ > head_.count) return std::nullopt;
    return range(expected_, head_.count) + " removed from the end: the store counts " +
           std::to_string(head_.count);
}

std::string sha256(std::string_view bytes) {
    const wal::Digest digest = wal::sha256(bytes);
    return in_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace twophase::participants
