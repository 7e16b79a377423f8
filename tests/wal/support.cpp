#include "tests/wal/support.hpp"

#include "wal/log_keys.hpp"

#include <cassert>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <iostream>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace twophase::wal {

TempDirectory::TempDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "wal-test-XXXXXX").string();
    assert(::mkdtemp(name.data()) != nullptr);
    path_ = name;
}

TempDirectory::~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

Post Loop::post() {
    return [this](std::function<void()> function) {
        const std::lock_guard lock(mutex_);
        queue_.push_back(std::move(function));
        ++posts_;
        posted_.notify_all();
    };
}

void Loop::run_until(const std::function<bool()>& is_done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    run_posted();
    while (!is_done()) {
        {
            std::unique_lock lock(mutex_);
            posted_.wait_until(lock, deadline, [this] { return !queue_.empty(); });
            if (queue_.empty()) {
                std::cerr << "the loop waited for a minute\n";
                std::abort();
            }
        }
        run_posted();
    }
}

void Loop::run_posted() {
    std::deque<std::function<void()>> ready;
    {
        const std::lock_guard lock(mutex_);
        ready.swap(queue_);
    }
    for (const auto& function : ready) function();
}

std::size_t Loop::posts() const {
    const std::lock_guard lock(mutex_);
    return posts_;
}

Job Gate::job() {
    return {.work = [this](Unit&) {
        reached_.set_value();
        opened_.get_future().wait();
    }};
}

StoreOptions store_options(const std::filesystem::path& directory) {
    return {.directory = directory,
            .kind = "test",
            .id = "one",
            .node = 7,
            .tables = {"things"},
            .any_filesystem = true};
}

LogOptions log_options(const std::filesystem::path& directory) {
    return {.store = {.directory = directory, .id = "one", .node = 7, .any_filesystem = true}};
}

Gid gid_of(std::uint64_t number) {
    Gid gid{0x01, 0x93};
    for (std::size_t byte = 0; byte < 8; ++byte)
        gid[15 - byte] = static_cast<std::uint8_t>(number >> (8 * byte));
    return gid;
}

Entry started(std::uint64_t number, std::string payload) {
    const BusinessKey key{.code = "order", .id = std::to_string(number)};
    return {.gid = gid_of(number),
            .payload = std::move(payload),
            .starts = BusinessEntry{.key = key, .gid = gid_of(number)},
            .label = "started"};
}

Entry decided(std::uint64_t number, std::uint32_t n, std::string payload) {
    return {.gid = gid_of(number), .n = n, .payload = std::move(payload), .label = "decided"};
}

Entry finished(std::uint64_t number, std::uint32_t n) {
    return {.gid = gid_of(number),
            .n = n,
            .payload = "finished",
            .finishes = true,
            .label = "finished"};
}

Written append_and_wait(Log& log, Loop& loop, std::vector<Entry> entries) {
    std::optional<Written> fate;
    log.append(std::move(entries), Urgency::forced, [&](Written written) { fate = written; });
    loop.run_until([&] { return fate.has_value(); });
    return *fate;
}

Written submit_and_wait(Store& store, Loop& loop, Job job) {
    std::optional<Written> fate;
    job.then = [&](Written written) { fate = written; };
    store.submit(std::move(job));
    loop.run_until([&] { return fate.has_value(); });
    return *fate;
}

Unfinished unfinished_in(const Log& log) {
    Unfinished all;
    all.bad_keys = log.each_unfinished(
        [&](const StoredTransaction& each) { all.transactions.push_back(each); });
    return all;
}

void tamper(const std::filesystem::path& directory,
            const std::string& table,
            const std::function<void(Batch&, Table)>& change) {
    Environment environment({.directory = directory});
    const auto found = environment.find_table(table);
    assert(found);
    Batch batch = environment.batch();
    change(batch, *found);
    batch.commit();
}

void flip_bit(const std::filesystem::path& directory,
              const std::string& table,
              const std::string& key,
              std::size_t bit) {
    tamper(directory, table, [&](Batch& batch, Table in) {
        const auto stored = batch.get(in, key);
        assert(stored);
        std::string value(*stored);
        value[bit / 8 % value.size()] ^= static_cast<char>(1U << (bit % 8));
        batch.put(in, key, value);
    });
}

Child::Child(const std::vector<std::string>& arguments,
             const std::vector<std::string>& environment) {
    int ends[2] = {-1, -1};
    assert(::pipe2(ends, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::vector<std::string> words = arguments;
    words.insert(words.begin(), WAL_CHILD);
    std::vector<std::string> variables = environment;
    for (char** variable = environ; *variable != nullptr; ++variable)
        variables.emplace_back(*variable);
    std::vector<char*> argv;
    std::vector<char*> envp;
    for (std::string& word : words) argv.push_back(word.data());
    for (std::string& variable : variables) envp.push_back(variable.data());
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    const int code =
        ::posix_spawn(&process_, WAL_CHILD, &actions, nullptr, argv.data(), envp.data());
    assert(code == 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    output_ = ends[0];
}

Child::~Child() {
    if (process_ > 0) {
        kill();
        wait();
    }
    ::close(output_);
}

std::optional<std::string> Child::read_line() {
    for (;;) {
        if (const auto end = buffer_.find('\n'); end != std::string::npos) {
            std::string line = buffer_.substr(0, end);
            buffer_.erase(0, end + 1);
            return line;
        }
        char bytes[4096];
        const auto count = ::read(output_, bytes, sizeof bytes);
        if (count <= 0) return {};
        buffer_.append(bytes, static_cast<std::size_t>(count));
    }
}

void Child::kill() { ::kill(process_, SIGKILL); }

int Child::wait() {
    int status = 0;
    assert(::waitpid(process_, &status, 0) == process_);
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace twophase::wal
