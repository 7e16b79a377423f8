// The person at the terminal: text that can't harm it, progress, and the question before a deed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace twophase::recoveryctl {

/// `text` with control characters, direction marks and bytes that are no UTF-8 written as \xNN, so
/// that data can't move the cursor, hide a line or set a title.
std::string printable(std::string_view text);

/// How many columns printable text takes, a character for a column.
std::size_t width(std::string_view text);

/// `text` as one word of a shell's command line.
std::string shell_word(const std::string& text);

/// Asks on the terminal; false for anything but "yes". Failure when there is no terminal, naming
/// --yes.
bool confirm(const std::string& question);

/// A line on standard error that counts, when that is a terminal; else nothing.
class ProgressLine {
public:
    explicit ProgressLine(std::string what);
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;
    void show(std::size_t done);

private:
    std::string what_;
    bool is_shown_;
};

}  // namespace twophase::recoveryctl
