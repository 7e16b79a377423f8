#include "tests/powerloss/replay.hpp"

#include "tests/powerloss/sweep.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unordered_set>

namespace twophase::powerloss {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_failures_told = 5;
constexpr std::size_t most_text = 600;
constexpr unsigned hang_seconds = 60;
constexpr int replay_failed = 99;

/// What a worker and the process that started it both see.
struct Shared {
    std::size_t next;  // of the plan: the one being checked
    std::size_t images, twice, distinct, refused, failed;
    char failures[most_failures_told][most_text];
};

class SharedMemory {
public:
    SharedMemory()
        : memory_(::mmap(
              nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
        if (memory_ == MAP_FAILED) throw std::runtime_error("no shared memory");
    }
    ~SharedMemory() { ::munmap(memory_, sizeof(Shared)); }
    SharedMemory(const SharedMemory&) = delete;
    SharedMemory& operator=(const SharedMemory&) = delete;
    Shared& operator*() const { return *static_cast<Shared*>(memory_); }

private:
    void* memory_;
};

/// Images live in memory where there is such a place.
class ImagesFolder {
public:
    ImagesFolder() {
        const fs::path memory = "/dev/shm";
        const fs::path parent =
            ::access(memory.c_str(), W_OK) == 0 ? memory : fs::temp_directory_path();
        std::string name = (parent / "twophase-images-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder for images");
        path_ = name;
    }
    ~ImagesFolder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    ImagesFolder(const ImagesFolder&) = delete;
    ImagesFolder& operator=(const ImagesFolder&) = delete;
    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

void tell_failure(Shared& shared, const Planned& moment, const std::string& fault) {
    if (shared.failed < most_failures_told) {
        const std::string text = "image " + std::to_string(moment.seed) + ", cut after event " +
                                 std::to_string(moment.cut) + ": " + fault;
        std::snprintf(shared.failures[shared.failed], most_text, "%s", text.c_str());
    }
    ++shared.failed;
}

/// Checks the rest of the plan, up to the first failure: after that this process, which has met a
/// broken store, is not to be trusted.
void work(Shared& shared, Sweep& sweep, const std::vector<Planned>& planned) {
    std::unordered_set<std::uint64_t> seen;
    while (shared.next < planned.size()) {
        ::alarm(hang_seconds);
        const Planned& moment = planned[shared.next];
        sweep.go_to(moment);
        sweep.place();
        const Sweep::Found found = sweep.check();
        shared.images += found.images;
        shared.twice += found.twice;
        shared.refused += found.verdict.is_refused;
        if (seen.insert(found.fingerprint).second) ++shared.distinct;
        ++shared.next;
        if (found.verdict.fault.empty()) continue;
        return tell_failure(shared, moment, found.verdict.fault);
    }
}

/// Every opened store has a thread, and sanitizers prepare the whole of its stack.
void use_small_stacks() {
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, std::size_t{512} << 10);
    ::pthread_setattr_default_np(&attributes);
    ::pthread_attr_destroy(&attributes);
}

/// For controls, which crash again and again: no stack traces, no core files.
void crash_in_silence() {
    (void)!std::freopen("/dev/null", "w", stderr);
    const rlimit none{};
    ::setrlimit(RLIMIT_CORE, &none);
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE}) std::signal(signal, SIG_DFL);
}

[[noreturn]] void run_worker(Shared& shared, Sweep& sweep, const std::vector<Planned>& planned) {
    use_small_stacks();
    try {
        work(shared, sweep, planned);
        std::_Exit(0);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "the replay itself failed: %s\n", error.what());
        std::_Exit(replay_failed);
    }
}

std::string ending_of(int status) {
    if (WIFSIGNALED(status))
        return "what opened it was ended by signal " + std::to_string(WTERMSIG(status)) + ", " +
               ::strsignal(WTERMSIG(status));
    return "what opened it ended with code " + std::to_string(WEXITSTATUS(status));
}

double processor_seconds_of_children() {
    rusage used{};
    ::getrusage(RUSAGE_CHILDREN, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

ReplayResult result_of(const Shared& shared) {
    ReplayResult result{.images = shared.images,
                        .distinct = shared.distinct,
                        .twice = shared.twice,
                        .refused = shared.refused,
                        .failed = shared.failed};
    for (std::size_t i = 0; i < std::min(shared.failed, most_failures_told); ++i)
        result.failures.emplace_back(shared.failures[i]);
    return result;
}

}  // namespace

std::vector<ImageSeed> image_seeds(std::uint64_t seed, std::size_t images, std::size_t stores) {
    Random random(seed);
    std::vector<ImageSeed> seeds(images / stores + 1);
    for (ImageSeed& each : seeds) each = random();
    return seeds;
}

ReplayResult replay(const std::vector<Event>& events,
                    const Checker& promises,
                    const std::vector<ImageSeed>& seeds,
                    const Forget& forget) {
    const std::vector<Planned> planned = plan(events, seeds);
    const double before = processor_seconds_of_children();
    const SharedMemory memory;
    Shared& shared = *memory;
    while (shared.next < planned.size()) {
        const ImagesFolder folder;
        const pid_t worker = ::fork();
        if (worker < 0) throw std::runtime_error("no worker can be started");
        if (worker == 0) {
            if (forget.is_anything()) crash_in_silence();
            Sweep sweep(events, promises, forget, folder.path());
            run_worker(shared, sweep, planned);
        }
        int status = 0;
        ::waitpid(worker, &status, 0);
        if (status == 0) continue;
        if (WIFEXITED(status) && WEXITSTATUS(status) == replay_failed)
            throw std::runtime_error("the images could not be made");
        tell_failure(shared, planned[shared.next], ending_of(status));
        ++shared.images;
        ++shared.next;
    }
    ReplayResult result = result_of(shared);
    result.processor_seconds = processor_seconds_of_children() - before;
    return result;
}

}  // namespace twophase::powerloss
