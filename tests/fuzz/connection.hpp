// The server's own connection, fed from memory: one end of a socket pair, and no network.
#pragma once

#include "http/message.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace twophase::fuzz {

struct Talk {
    std::string_view bytes;     // all that the client ever sends
    std::size_t piece = 0;      // how many of them arrive at once; 0: all
    bool falls_silent = false;  // then stays connected instead of ending its side
};

/// Serves one connection from its first byte to its end, with limits small enough for a fuzzer to
/// meet them; what the client got. Deadlines pass when nothing else is left to happen.
std::string serve(const Talk& talk, const http::Handler& handler);

/// The limit of a body here.
inline constexpr std::size_t most_body_bytes = 2048;

}  // namespace twophase::fuzz
