// Records as the log keeps them: a version, then each field in its order, in as few bytes as it
// takes. For people there is json_of; a start reads a hundred thousand of them in half a second.
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

/// The record's payload in the log. The gid is not in it: the frame has it, and a checksum.
std::string encode(const Record& record, std::int64_t at_microseconds);

/// The record, or what is wrong with the payload. Reads what any earlier build wrote.
boost::system::result<Stamped, std::string> decode(const Gid& gid, std::string_view payload);

}  // namespace twophase::coordinator
