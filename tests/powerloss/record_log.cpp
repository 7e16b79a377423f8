#include "tests/powerloss/record_log.hpp"

#include "tests/powerloss/disk.hpp"

#include <csignal>
#include <spawn.h>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;  // POSIX names it so

namespace twophase::powerloss {
namespace {

namespace fs = std::filesystem;

std::vector<char*> pointers_to(std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    return pointers;
}

/// Runs a program to its end; its status as wait() gives it.
int run(std::vector<std::string> words, std::vector<std::string> more_environment) {
    for (char** each = environ; *each != nullptr; ++each)
        if (!std::string_view(*each).starts_with("ASAN_OPTIONS="))
            more_environment.emplace_back(*each);
    pid_t process = -1;
    if (::posix_spawn(&process,
                      words[0].c_str(),
                      nullptr,
                      nullptr,
                      pointers_to(words).data(),
                      pointers_to(more_environment).data()) != 0)
        throw std::runtime_error("can't start " + words[0]);
    int status = 0;
    ::waitpid(process, &status, 0);
    return status;
}

}  // namespace

std::size_t record_log(const Recorded& recorded, const std::vector<Appending>& runs) {
    std::size_t kills = 0;
    for (const Appending& each : runs) {
        const int status = run({APPENDER,
                                (recorded.root() / "log").string(),
                                std::to_string(each.map_bytes),
                                std::to_string(each.jobs),
                                std::to_string(each.window),
                                std::to_string(each.forget_every)},
                               recorded.environment(each.kill_after));
        const bool is_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        if (status != 0 && !(is_killed && each.kill_after != 0))
            throw std::runtime_error("the appender ended with status " + std::to_string(status));
        if (is_killed) recorded.settle("log/data.mdb");
        kills += is_killed;
    }
    const std::string missed = missed_by(read_recording(recorded.recording()), recorded.root());
    if (!missed.empty()) throw std::runtime_error("the recorder missed something: " + missed);
    return kills;
}

std::string missed_by(const std::vector<Event>& events, const fs::path& root) {
    Disk disk;
    for (const Event& event : events) disk.apply(event);
    for (const auto& [name, store] : disk.stores()) {
        const fs::path path = root / name / "data.mdb";
        if (fs::exists(path) != store.data_name.is_made) return "the making of " + path.string();
        if (!store.data_name.is_made) continue;
        if (fs::file_size(path) != store.data.length()) return "the length of " + path.string();
        const auto pages = store.data.differences(read_file(path));
        if (!pages.empty()) return "page " + std::to_string(pages[0]) + " of " + path.string();
    }
    return {};
}

}  // namespace twophase::powerloss
