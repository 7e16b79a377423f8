// A process for the tests to kill: it appends, says what is durable, and fails where it is told to.
#include "tests/wal/support.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <semaphore>
#include <string>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

// The disk's failures: how many more calls succeed. Negative: all.
std::atomic<long> syncs_left{-1};
std::atomic<long> writes_left{-1};

bool is_due(std::atomic<long>& left) { return left >= 0 && left.fetch_sub(1) == 0; }

}  // namespace

// LMDB's calls end here, as an executable's symbols go before those of its libraries.
extern "C" int fdatasync(int file) {
    if (is_due(syncs_left)) {
        errno = EIO;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_fdatasync, file));
}

extern "C" ssize_t pwrite(int file, const void* bytes, size_t count, off_t offset) {
    if (is_due(writes_left)) {
        errno = EIO;
        return -1;
    }
    return ::syscall(SYS_pwrite64, file, bytes, count, offset);
}

extern "C" ssize_t pwrite64(int file, const void* bytes, size_t count, off_t offset) {
    return pwrite(file, bytes, count, offset);
}

namespace twophase::wal {
namespace {

void say(const std::string& line) {
    const std::string text = line + "\n";
    (void)!::write(STDOUT_FILENO, text.data(), text.size());
}

// `then` runs on the writer's thread at once: this process has no loop to lose.
Post at_once() {
    return [](const std::function<void()>& function) { function(); };
}

// Appends transactions first, first + 1, ... for ever and says each number that is durable.
[[noreturn]] void append_for_ever(const std::string& directory, std::uint64_t first) {
    Log log(log_options(directory), at_once());
    std::counting_semaphore<> window(100);
    say("ready");
    for (std::uint64_t number = first;; ++number) {
        window.acquire();
        const Urgency urgency = number % 3 == 0 ? Urgency::lazy : Urgency::forced;
        log.append({started(number, std::string(number % 2000, 'x')), decided(number)},
                   urgency,
                   [&window, number](Written) {
                       say(std::to_string(number));
                       window.release();
                   });
    }
}

// One transaction, record by record, saying what is durable.
void run_one(const std::string& directory) {
    Log log(log_options(directory), at_once());
    for (const Entry& entry : {started(1), decided(1), finished(1, 2)}) {
        std::binary_semaphore is_durable(0);
        log.append({entry}, Urgency::forced, [&](Written) {
            say(entry.label);
            is_durable.release();
        });
        is_durable.acquire();
    }
}

void limit_file_size(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
}

// Appends until the disk fails as `how` says.
[[noreturn]] void append_until_failure(const std::string& directory,
                                       const std::string& how,
                                       long calls) {
    Log log(log_options(directory), at_once());
    std::counting_semaphore<> window(1);
    for (std::uint64_t number = 0;; ++number) {
        window.acquire();
        if (number == 10) {
            if (how == "sync") syncs_left = calls;
            if (how == "write") writes_left = calls;
            if (how == "limit") limit_file_size(64 << 10);
        }
        log.append(
            {started(number, std::string(5000, 'x'))}, Urgency::forced, [&, number](Written) {
                say(std::to_string(number));
                window.release();
            });
    }
}

[[noreturn]] void hold(const std::string& directory) {
    const Store store(store_options(directory), at_once());
    say("ready");
    for (;;) ::pause();
}

// A start that isn't record 0, or a record 0 that starts nothing.
void misuse(const std::string& directory, std::uint32_t n) {
    Log log(log_options(directory), at_once());
    Entry entry = n == 0 ? decided(1) : started(1);
    entry.n = n;
    log.append({entry}, Urgency::forced, {});
}

int run(const std::vector<std::string>& words) {
    if (words.at(0) == "append") append_for_ever(words.at(1), std::stoull(words.at(2)));
    if (words.at(0) == "fail")
        append_until_failure(words.at(1), words.at(2), std::stol(words.at(3)));
    if (words.at(0) == "hold") hold(words.at(1));
    if (words.at(0) == "misuse")
        misuse(words.at(1), static_cast<std::uint32_t>(std::stoul(words.at(2))));
    if (words.at(0) == "one") run_one(words.at(1));
    return 0;
}

}  // namespace
}  // namespace twophase::wal

int main(int count, char** words) {
    spdlog::set_default_logger(spdlog::stderr_logger_mt("wal_child"));  // the parent reads stdout
    return twophase::wal::run({words + 1, words + count});
}
