// What to check, and whom.
#pragma once

#include "http/endpoint.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace twophase::conformance {

struct ListenAt {
    std::string address;
    std::uint16_t port = 0;              // 0: the kernel chooses
    std::filesystem::path address_file;  // host:port is written there; empty: nowhere
};

struct Options {
    http::Endpoint base;      // the participant's base URL
    std::string participant;  // its name
    std::string coordinator;  // who we say we are; it must know an inquiry URL for us
    std::string operation;
    std::string payload;            // JSON text of one that it can promise, many times over
    std::string refused_payload;    // of one that it must refuse; empty: none is known
    std::string changed_payload;    // of another than `payload`
    std::size_t batch = 0;          // messages in an array; 0: it takes no arrays
    std::size_t parallel = 8;       // requests at the same time
    bool is_saga = false;           // it answers execute and compensate
    std::vector<std::string> only;  // groups and checks; empty: all
    std::chrono::milliseconds timeout{5'000};
    std::chrono::milliseconds restart_limit{60'000};  // until it answers again
    std::chrono::milliseconds inquiry_limit{60'000};  // until it has asked what was decided

    /// Restarts the participant; what went wrong, or nothing. Empty: can't be done.
    std::function<std::string()> restart;
    /// Fills the participant's store until it takes no new work; what went wrong, or nothing.
    /// Empty: can't be done.
    std::function<std::string()> fill;
    /// A text of what the participant owns; nothing when it can't be had. Empty: can't be seen.
    std::function<std::optional<std::string>()> observe;
    /// Where the participant asks its coordinator; none: it can't ask us.
    std::optional<ListenAt> listen;
};

}  // namespace twophase::conformance
