// Asks one participant what it holds in doubt: after a start, and again and again.
#pragma once

#include "coordinator/config.hpp"
#include "recovery/surroundings.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace twophase::coordinator {

/// What a participant holds prepared, as it says itself.
struct InDoubt {
    std::string participant;
    std::string gid;
    std::string branch_id;
};

/// The sweeps of one participant, one at a time and page by page. The loop's thread; held by a
/// shared pointer, as answers come later.
class Sweep : public std::enable_shared_from_this<Sweep> {
public:
    struct Hooks {
        std::function<void(const InDoubt&)> found;
        /// Every page was read. Not called where an answer is missing or none.
        std::function<void()> ended;
        /// Somebody waits for the end: the next page is asked for at once.
        std::function<bool()> is_urgent;
    };

    /// What the references and hooks lead to lives until stop().
    Sweep(recovery::Surroundings& around,
          recovery::Peer& peer,
          const Config& config,
          std::string participant,
          Hooks hooks);

    /// Begins one now, and one every sweep_interval unless one is under way then.
    void start();
    void stop();

private:
    void begin();
    void begin_later();
    void ask(const std::string& after);
    void handle(const http::Result<http::Response>& response);
    void ask_next(const std::string& after);
    bool read(const http::Result<http::Response>& response, std::string& next);

    recovery::Surroundings& around_;
    recovery::Peer& peer_;
    std::string participant_;
    std::string path_;
    std::chrono::milliseconds call_timeout_;
    recovery::Time interval_;
    Hooks hooks_;
    std::unique_ptr<recovery::Alarm> alarm_;
    std::unique_ptr<recovery::Alarm> page_alarm_;
    bool is_stopped_ = false;
    bool is_under_way_ = false;
    std::string last_page_;
    std::size_t pages_ = 0;
};

}  // namespace twophase::coordinator
