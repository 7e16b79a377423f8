// Records as the log keeps them: one JSON object each, readable by people and by later versions.
#pragma once

#include "coordinator/protocol/records.hpp"

#include <boost/system/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace twophase::coordinator {

/// A record and when it was written, in microseconds since 1970 by the wall clock, for display.
struct Stamped {
    Record record;
    std::int64_t at_microseconds = 0;
};

/// The record's payload in the log. The gid is not in it: the frame has it.
std::string encode(const Record& record, std::int64_t at_microseconds);

/// The record, or what is wrong with the payload.
boost::system::result<Stamped, std::string> decode(const Gid& gid, std::string_view payload);

std::string to_hex(const Fingerprint& fingerprint);

/// SHA-256 over mode and branches as canonical JSON: what makes two submissions the same.
Fingerprint fingerprint_of(Mode mode, const std::vector<BranchRequest>& branches);

}  // namespace twophase::coordinator
