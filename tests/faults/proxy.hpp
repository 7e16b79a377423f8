// A network between two programs that loses, delays, cuts, repeats and garbles what passes.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace twophase::faults {

/// What happens to one exchange, a request and its reply.
enum class Fault {
    none,
    refuse,         // the connection is closed before anything is read on
    lose_request,   // silence; the peer never hears it
    lose_reply,     // carried out, then silence
    delay_request,  // it arrives late, even when the caller has given up
    delay_reply,
    cut_request_head,  // half a head arrives, then the connection breaks on both sides
    cut_request_body,
    cut_reply_head,  // carried out; half a head comes back
    cut_reply_body,
    drip_reply,       // a few bytes at a time
    repeat,           // arrives twice at once
    repeat_later,     // and once more after a while
    other_service,    // not carried out; 200 with JSON of something else
    truncated_json,   // carried out; 200 with half of the JSON
    wrong_gid,        // carried out; the reply names another transaction
    another_reply,    // not carried out; the reply to an earlier request comes back
    error_after,      // carried out; 500
    reply_too_large,  // carried out; more than any client reads
    not_http,         // carried out; bytes that are no HTTP
};

const std::vector<Fault>& all_faults();  // but none
const char* to_text(Fault fault);

struct ProxyOptions {
    std::uint64_t seed = 1;
    std::chrono::milliseconds longest_delay{600};
};

/// Listens on a port that the kernel chose, on a thread of its own, and forwards to whatever
/// address the peer's file holds at the time. Every function: any thread.
class Proxy {
public:
    /// Reads the peer's address from `peer` and writes its own to `own`.
    Proxy(std::filesystem::path peer, const std::filesystem::path& own, ProxyOptions options = {});
    ~Proxy();
    Proxy(const Proxy&) = delete;
    Proxy& operator=(const Proxy&) = delete;

    /// The next `times` requests whose target contains `target` suffer `fault`.
    void next(Fault fault, std::string target, std::size_t times = 1);
    /// Every exchange suffers some fault with this probability.
    void at_random(double probability);
    /// Nothing befalls what comes from now on.
    void heal();
    /// How many exchanges suffered `fault` so far.
    std::size_t count(Fault fault) const;
    std::size_t count_all() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace twophase::faults
