// What the programs do on signals.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <functional>

namespace twophase::recovery {

/// What SIGHUP is taken for: a terminal that is gone, or a wish to read the settings again.
enum class HangUp { ends, reloads };

/// To be called first in main(): from here on neither SIGPIPE nor SIGHUP kills. SIGHUP ends a
/// program in order where standard error is a terminal, unless whoever started it had SIGHUP
/// ignored, as nohup does. Elsewhere it reloads. Standard streams that came closed are /dev/null
/// then: the log must not end up in the file that gets their number.
HangUp prepare_process();

/// SIGTERM, SIGINT and SIGHUP, on the loop. Belongs to it.
class Signals {
public:
    struct Actions {
        std::function<void()> end;  // in order; called once
        std::function<void()> reload;
    };
    Signals(boost::asio::io_context& io, HangUp hang_up, Actions actions);
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

private:
    void wait();

    HangUp hang_up_;
    Actions actions_;
    boost::asio::signal_set signals_;
};

}  // namespace twophase::recovery
