// A program of ours as a child process.
#pragma once

#include <cstdio>
#include <string>
#include <sys/types.h>
#include <vector>

namespace twophase::participants::testing {

/// Starts a program; kills it at the end if it still runs.
class Child {
public:
    /// `environment` are settings "NAME=value" beside those of this process.
    Child(const std::string& program,
          std::vector<std::string> arguments,
          std::vector<std::string> environment = {});
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    /// Reads its standard error until a line holds `text`; false when it ends before.
    bool wait_for_line(const std::string& text);
    void signal(int number);
    /// The exit code, or 128 + the signal that ended it.
    int wait();

private:
    pid_t id_ = -1;
    std::FILE* errors_ = nullptr;
};

}  // namespace twophase::participants::testing
