// A file that takes its name only when it is whole.
#pragma once

#include <fstream>
#include <ostream>
#include <string>

namespace twophase::recoveryctl {

/// Written beside its target; gone unless it was published.
class Draft {
public:
    explicit Draft(const std::string& target);
    ~Draft();
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;
    std::ostream& stream() { return file_; }
    /// Failure when it can't be written.
    void publish();

private:
    std::string target_;
    std::string path_;
    std::ofstream file_;
};

}  // namespace twophase::recoveryctl
