// What this very process writes into the images that it opens: so that they can be put back, and
// so that the power may be lost again while a store is being opened.
#pragma once

#include "tests/powerloss/recording.hpp"

#include <string>
#include <vector>

namespace twophase::powerloss {

/// One for the process, as the calls that it watches are. Any thread.
class Capture {
public:
    static Capture& instance();

    /// From now on, until take(), changes of the file that `file` is open on are events of `name`.
    void watch(const std::string& name, int file);
    /// A promise that was given; comes in order with the writes.
    void note(const std::string& text);
    /// Ends the watching; what happened, in order.
    std::vector<Event> take();
};

}  // namespace twophase::powerloss
