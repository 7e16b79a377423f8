// The tests' program: with --recording and --image it replays a single image instead.
#include "tests/powerloss/fleet_checker.hpp"
#include "tests/powerloss/log_checker.hpp"
#include "tests/powerloss/options.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string_view>

namespace twophase::powerloss {
namespace {

namespace fs = std::filesystem;

Options given;

constexpr const char* usage =
    "usage: --images N --seed S\n"
    "       --recording FILE --image SEED [--forget meta|data|names[:STORE]]\n"
    "       --recording FILE --restart SEED";

// A kind of sync, and after a colon the one store meant.
struct Forgettable {
    const char* name;
    bool Forget::*what;
};
constexpr Forgettable forgettables[] = {
    {"meta", &Forget::meta_syncs}, {"data", &Forget::data_syncs}, {"names", &Forget::name_syncs}};

std::string to_text(const Forget& forget) {
    for (const auto& [name, what] : forgettables)
        if (forget.*what)
            return std::string(name) + (forget.store.empty() ? "" : ":") + forget.store;
    return {};
}

Forget read_forget(const std::string& word) {
    Forget forget;
    const std::size_t colon = std::min(word.find(':'), word.size());
    for (const auto& [name, what] : forgettables) forget.*what = word.substr(0, colon) == name;
    if (colon < word.size()) forget.store = word.substr(colon + 1);
    return forget;
}

void read_options(int count, char** words) {
    given.program = words[0];
    given.seed = std::random_device{}();
    for (int i = 1; i + 1 < count; i += 2) {
        const std::string_view word = words[i];
        if (word == "--images")
            given.images = std::stoull(words[i + 1]);
        else if (word == "--seed")
            given.seed = std::stoull(words[i + 1]);
        else if (word == "--recording")
            given.recording = words[i + 1];
        else if (word == "--image")
            given.image = std::stoull(words[i + 1]);
        else if (word == "--restart")
            given.restart = std::stoull(words[i + 1]);
        else if (word == "--forget")
            given.forget = read_forget(words[i + 1]);
        else
            throw std::runtime_error(usage);
    }
}

int replay_one() {
    const auto events = read_recording(given.recording);
    const ReplayResult result = replay(events, *checker_for(events), {given.image}, given.forget);
    for (const std::string& failure : result.failures) std::printf("%s\n", failure.c_str());
    std::printf("%s\n", result.failed == 0 ? "keeps every promise" : "FAILED");
    return result.failed == 0 ? 0 : 1;
}

}  // namespace

const Options& options() { return given; }

TestFolder::TestFolder() {
    std::string name = (fs::temp_directory_path() / "twophase-powerloss-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
}

TestFolder::~TestFolder() {
    std::error_code ignored;
    if (!testing::Test::HasFailure()) fs::remove_all(path_, ignored);
}

std::unique_ptr<Checker> checker_for(const std::vector<Event>& events) {
    const bool is_log = std::ranges::any_of(
        events, [](const Event& event) { return event.name.starts_with("log/"); });
    if (is_log) return std::make_unique<LogChecker>();
    return std::make_unique<FleetChecker>();
}

void print(const std::string& what,
           const ReplayResult& result,
           const Forget& forget,
           const fs::path& recording) {
    std::printf(
        "%s: seed %llu, %zu images (%zu after a second loss), %zu of the first losses distinct, "
        "%zu refused, %zu failed; %.0f a second of processor time\n",
        what.c_str(),
        static_cast<unsigned long long>(given.seed),
        result.images,
        result.twice,
        result.distinct,
        result.refused,
        result.failed,
        static_cast<double>(result.images) / result.processor_seconds);
    const std::string forgotten = to_text(forget);
    for (const std::string& failure : result.failures) {
        const std::string image = failure.substr(6, failure.find(',') - 6);
        const std::string again = given.program + " --recording " + recording.string() +
                                  " --image " + image +
                                  (forgotten.empty() ? "" : " --forget " + forgotten);
        std::printf("  %s\n    %s\n", failure.c_str(), again.c_str());
    }
    std::fflush(stdout);
}

}  // namespace twophase::powerloss

// The address sanitizer, where it is built in: what was freed long ago and by whom matters less
// here than how many images are looked at.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
    return "malloc_context_size=1:quarantine_size_mb=4:detect_stack_use_after_return=0";
}

int main(int count, char** words) try {
    testing::InitGoogleTest(&count, words);
    twophase::powerloss::read_options(count, words);
    if (!twophase::powerloss::options().recording.empty()) return twophase::powerloss::replay_one();
    return RUN_ALL_TESTS();
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
