// How recoveryctl ends when it can't do what was asked.
#pragma once

#include <stdexcept>
#include <string>

namespace twophase::recoveryctl {

/// What scripts see.
enum class Exit : int {
    done = 0,          // done, or nothing wrong found
    findings = 1,      // verify found damage, nothing by that gid, an order was refused
    not_possible = 2,  // wrong usage, nobody answers, or the store belongs to a running process
    unreadable = 3,    // the store can't be read
};

/// Thrown by whatever can't go on; main prints it and ends with its code.
class Failure : public std::runtime_error {
public:
    Failure(Exit code, const std::string& why) : std::runtime_error(why), code_(code) {}
    Exit code() const { return code_; }

private:
    Exit code_;
};

}  // namespace twophase::recoveryctl
