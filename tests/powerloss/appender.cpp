// A process to record: it appends to a log and notes each promise that the log gives it.
#include "tests/powerloss/appended.hpp"
#include "tests/powerloss/recording.hpp"

#include <cstdio>
#include <cstdlib>
#include <random>
#include <semaphore>
#include <stdexcept>
#include <string>

namespace twophase::powerloss {
namespace {

using namespace wal;

/// `window` jobs are under way at most; `forget_every` jobs, what is finished is forgotten (0:
/// never).
struct Words {
    std::filesystem::path store;
    std::size_t map_bytes;
    std::uint64_t jobs;
    std::ptrdiff_t window;
    std::uint64_t forget_every;
};

std::uint64_t next_number(const Log& log) {
    const auto newest = log.list(std::nullopt, 1);
    return newest.empty() ? 0 : number_of(newest.front().gid) + 1;
}

void run(const Words& words) {
    const Notes notes = Notes::from_environment();
    Log log(appender_options(words.store, words.map_bytes), at_once());
    notes.add(note_of(opened_note, log.store().epoch()));
    std::counting_semaphore<> window(words.window);
    const std::uint64_t first = next_number(log);
    for (std::uint64_t number = first; number < first + words.jobs; ++number) {
        window.acquire();
        const Urgency urgency =
            number % 5 == 4 && words.window > 1 ? Urgency::lazy : Urgency::forced;
        log.append(job_of(number), urgency, [&notes, &window, number](Written written) {
            if (written != Written::durable) std::abort();
            notes.add(note_of(durable_note, number));
            window.release();
        });
        if (words.forget_every != 0 && number % words.forget_every == 0)
            log.forget(10,
                       [&notes](std::size_t count) { notes.add(note_of(forgotten_note, count)); });
    }
}

}  // namespace
}  // namespace twophase::powerloss

int main(int count, char** words) {
    if (count != 6) {
        std::fprintf(stderr, "usage: appender STORE MAP_BYTES JOBS WINDOW FORGET_EVERY\n");
        return 2;
    }
    twophase::powerloss::run({.store = words[1],
                              .map_bytes = std::stoull(words[2]),
                              .jobs = std::stoull(words[3]),
                              .window = std::stol(words[4]),
                              .forget_every = std::stoull(words[5])});
    return 0;
}
