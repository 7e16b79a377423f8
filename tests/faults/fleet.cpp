#include "tests/faults/fleet.hpp"

#include "http/client.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

extern char** environ;  // POSIX names it so

namespace twophase::faults {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Generous: a busy machine with sanitizers. Waiting ends as soon as the claim is true.
constexpr auto ready_limit = 60s;
constexpr auto end_limit = 60s;
constexpr auto call_limit = 30s;

http::Endpoint endpoint_of(const Program& program) {
    return http::Endpoint::parse(program.endpoint()).value();
}

std::vector<std::string> with(std::vector<std::string> first,
                              const std::vector<std::string>& more) {
    first.insert(first.end(), more.begin(), more.end());
    return first;
}

std::vector<std::string> coordinator_arguments(const fs::path& folder, const std::string& ending) {
    const auto participant = [&](const char* name) {
        return Json{{"endpoint", "file:" + (folder / (name + ending)).string() + "#/v1/branches"},
                    {"batch", true}};
    };
    const Json participants{{"credit", participant("credit-participant")},
                            {"coupon", participant("coupon-participant")}};
    return {"--participants", participants.dump(), "--backups", (folder / "backups").string()};
}

std::vector<std::string> participant_arguments(const fs::path& folder, const std::string& ending) {
    const Json coordinators{{"main", "file:" + (folder / ("coordinator" + ending)).string() + "#"}};
    return {"--coordinators",
            coordinators.dump(),
            "--backups",
            (folder / "participant-backups").string()};
}

const char* ending_of(const FleetOptions& options) {
    return options.is_proxied ? ".proxy" : ".address";
}

}  // namespace

Program::Program(std::string name, fs::path folder, std::vector<std::string> arguments)
    : name_(std::move(name)), folder_(std::move(folder)), arguments_(std::move(arguments)) {}

Program::~Program() {
    if (is_running()) kill();
}

fs::path Program::address_file() const { return folder_ / (name_ + ".address"); }

std::string Program::endpoint(const std::string& base) const {
    return "file:" + address_file().string() + "#" + base;
}

void Program::start(const std::string& crash_at) {
    ASSERT_FALSE(is_running());
    fs::remove(address_file());
    std::vector<std::string> words{std::string(PROGRAMS) + "/" + name_,
                                   "--port",
                                   "0",
                                   "--address-file",
                                   address_file().string(),
                                   "--data",
                                   data().string(),
                                   "--any-filesystem"};
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::string crash = "TWOPHASE_CRASH_AT=" + crash_at;
    const auto is_replaced = [this](std::string_view variable) {
        return variable.starts_with("TWOPHASE_") ||
               environment_.contains(std::string(variable.substr(0, variable.find('='))));
    };
    std::vector<char*> env;
    for (char** each = environ; *each != nullptr; ++each)
        if (!is_replaced(*each)) env.push_back(*each);
    if (!crash_at.empty()) env.push_back(crash.data());
    std::vector<std::string> own;
    for (const auto& [name, value] : environment_) own.push_back(name + "=" + value);
    for (std::string& variable : own) env.push_back(variable.data());
    env.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const std::string log = (folder_ / (name_ + ".log")).string();
    if (has_log_file_)
        posix_spawn_file_actions_addopen(
            &actions, 2, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    else if (log_to_)
        posix_spawn_file_actions_adddup2(&actions, *log_to_, 2);
    else
        posix_spawn_file_actions_addclose(&actions, 2);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    ASSERT_EQ(posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), env.data()), 0)
        << words[0];
    posix_spawn_file_actions_destroy(&actions);
}

bool Program::wait_ready() {
    const bool is_ready = eventually(ready_limit, [&] {
        if (reap(false)) return true;
        const auto answer = try_ask(*this, "GET", "/readyz");
        return answer && answer->status == 200;
    });
    EXPECT_TRUE(is_ready) << name_ << " is not ready\n" << log_tail();
    return is_running();
}

std::optional<Ending> Program::reap(bool wait) {
    if (!is_running()) return Ending{};
    int status = 0;
    if (::waitpid(pid_, &status, wait ? 0 : WNOHANG) != pid_) return std::nullopt;
    pid_ = -1;
    fs::remove(address_file());  // nobody is there any more
    if (WIFSIGNALED(status))
        return Ending{.was_killed = WTERMSIG(status) == SIGKILL, .signal = WTERMSIG(status)};
    return Ending{.exit_code = WEXITSTATUS(status)};
}

// To -1 it would go to every process there is.
void Program::signal(int number) const {
    if (is_running()) ::kill(pid_, number);
}

void Program::set_environment(const std::string& name, const std::string& value) {
    environment_[name] = value;
}

void Program::log_to(std::optional<int> descriptor) {
    log_to_ = descriptor;
    has_log_file_ = false;
}

void Program::add_arguments(const std::vector<std::string>& more) {
    arguments_.insert(arguments_.end(), more.begin(), more.end());
}

void Program::kill() {
    signal(SIGKILL);
    reap(true);
}

Ending Program::terminate() {
    signal(SIGTERM);
    const auto ending = wait_end(end_limit);
    if (ending) return *ending;
    ADD_FAILURE() << name_ << " does not end after SIGTERM\n" << log_tail();
    kill();
    return {};
}

std::optional<Ending> Program::wait_end(std::chrono::milliseconds limit) {
    std::optional<Ending> ending;
    eventually(limit, [&] { return (ending = reap(false)).has_value(); });
    return ending;
}

std::string Program::log_tail() const {
    std::ifstream file(folder_ / (name_ + ".log"));
    std::string text{std::istreambuf_iterator<char>(file), {}};
    constexpr std::size_t most = 6'000;
    return text.size() > most ? text.substr(text.size() - most) : text;
}

FleetOptions quick(std::chrono::milliseconds vote_timeout, std::chrono::milliseconds call_timeout) {
    return {.coordinator = {"--vote-timeout-ms",
                            std::to_string(vote_timeout.count()),
                            "--call-timeout-ms",
                            std::to_string(call_timeout.count()),
                            "--retry-initial-ms",
                            "20",
                            "--retry-max-ms",
                            "100",
                            "--probe-interval-max-ms",
                            "50",
                            "--sweep-interval-ms",
                            "100"},
            .participants = {"--inquire-after-ms", "100"}};
}

fs::path Fleet::make_folder() {
    std::string name = (fs::temp_directory_path() / "twophase-faults-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    return name;
}

Fleet::Fleet(const FleetOptions& options) : Fleet(options, make_folder()) {}

Fleet::Fleet(const FleetOptions& options, fs::path folder)
    : coordinator("coordinator",
                  folder,
                  with(coordinator_arguments(folder, ending_of(options)), options.coordinator)),
      credit("credit-participant",
             folder,
             with(participant_arguments(folder, ending_of(options)), options.participants)),
      coupon("coupon-participant",
             folder,
             with(participant_arguments(folder, ending_of(options)), options.participants)),
      folder_(std::move(folder)) {}

Fleet::~Fleet() {
    for (Program* program : {&coordinator, &credit, &coupon})
        if (program->is_running()) program->kill();
    std::error_code ignored;
    if (!testing::Test::HasFailure()) fs::remove_all(folder_, ignored);
}

Program& Fleet::by_name(const std::string& name) {
    if (name == "coordinator") return coordinator;
    return name == "credit" ? credit : coupon;
}

void Fleet::start_all() {
    for (Program* program : {&credit, &coupon, &coordinator})
        if (!program->is_running()) program->start();
    for (Program* program : {&credit, &coupon, &coordinator})
        ASSERT_TRUE(program->wait_ready()) << program->log_tail();
}

std::optional<http::Response> try_ask(const Program& program,
                                      const std::string& method,
                                      const std::string& target,
                                      const Json& body) {
    http::Call call{.method = method, .target = target, .body = body.is_null() ? "" : body.dump()};
    auto response = http::call_once(endpoint_of(program), std::move(call), call_limit);
    if (!response) return std::nullopt;
    return *response;
}

http::Response ask(const Program& program,
                   const std::string& method,
                   const std::string& target,
                   const Json& body) {
    const auto response = try_ask(program, method, target, body);
    EXPECT_TRUE(response) << method << " " << target << "\n" << program.log_tail();
    return response.value_or(http::Response{.status = 0});
}

Json ask_json(const Program& program,
              const std::string& method,
              const std::string& target,
              const Json& body) {
    const http::Response response = ask(program, method, target, body);
    Json json = Json::parse(response.body, nullptr, false);
    EXPECT_TRUE(json.is_object()) << method << " " << target << ": " << response.body;
    return json.is_object() ? json : Json::object();
}

}  // namespace twophase::faults
