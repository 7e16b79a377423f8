#include "tests/participants/child.hpp"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace twophase::participants::testing {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

}  // namespace

Child::Child(const std::string& program,
             std::vector<std::string> arguments,
             std::vector<std::string> environment) {
    arguments.insert(arguments.begin(), program);
    for (char** variable = environ; *variable != nullptr; ++variable)
        environment.emplace_back(*variable);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    // Whoever waits for the end of our own output must not wait for a child left behind.
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    const int error = ::posix_spawn(&id_,
                                    program.c_str(),
                                    &actions,
                                    nullptr,
                                    pointers(arguments).data(),
                                    pointers(environment).data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    errors_ = ::fdopen(ends[0], "r");
    if (error != 0) throw std::runtime_error("cannot start " + program);
}

Child::~Child() {
    if (id_ > 0) {
        ::kill(id_, SIGKILL);
        wait();
    }
    std::fclose(errors_);
}

bool Child::wait_for_line(const std::string& text) {
    char* line = nullptr;
    std::size_t size = 0;
    bool is_found = false;
    while (!is_found && ::getline(&line, &size, errors_) >= 0)
        is_found = std::string(line).find(text) != std::string::npos;
    std::free(line);
    return is_found;
}

void Child::signal(int number) { ::kill(id_, number); }

int Child::wait() {
    int status = 0;
    ::waitpid(id_, &status, 0);
    id_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace twophase::participants::testing
