#include "recovery/signals.hpp"

#include <csignal>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace twophase::recovery {

HangUp prepare_process() {
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(standard, F_GETFD) < 0) ::open("/dev/null", O_RDWR);  // gets the lowest number
    // A reader of the log or a peer that is gone is an error of that write alone.
    std::signal(SIGPIPE, SIG_IGN);
    const bool was_ignored = std::signal(SIGHUP, SIG_IGN) == SIG_IGN;
    // Looked at now: a terminal that is gone is none any more.
    return ::isatty(STDERR_FILENO) != 0 && !was_ignored ? HangUp::ends : HangUp::reloads;
}

Signals::Signals(boost::asio::io_context& io, HangUp hang_up, Actions actions)
    : hang_up_(hang_up), actions_(std::move(actions)), signals_(io, SIGTERM, SIGINT, SIGHUP) {
    wait();
}

void Signals::wait() {
    signals_.async_wait([this](boost::system::error_code cancelled, int number) {
        if (cancelled) return;
        if (number != SIGHUP || hang_up_ == HangUp::ends) return actions_.end();
        actions_.reload();
        wait();
    });
}

}  // namespace twophase::recovery
