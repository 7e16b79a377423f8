#include "tests/participants/bench.hpp"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <utility>

namespace twophase::participants::testing {

TemporaryDirectory::TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "participants-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

OpenStore::OpenStore(const std::vector<std::string>& tables)
    : environment_({.directory = directory_.path(), .map_bytes = std::size_t{1} << 28}),
      batch_(environment_.batch()) {
    for (const std::string& name : tables)
        tables_.emplace(name, environment_.open_table(batch_, name));
}

TableOf OpenStore::table_of() {
    return [this](std::string_view name) { return tables_.find(name)->second; };
}

std::string gid(int n) {
    char text[64];
    std::snprintf(text, sizeof text, "0190a1b2-0000-7000-8000-%012d", n);
    return text;
}

Message message(Verb verb, const std::string& gid, std::string participant) {
    Message message;
    message.verb = verb;
    message.gid = gid;
    message.branch_id = "1";
    message.participant = std::move(participant);
    message.coordinator = "main";
    message.epoch = 1;
    return message;
}

std::string text(const Answer& answer) {
    const std::string& word = !answer.vote.empty()     ? answer.vote
                              : !answer.state.empty()  ? answer.state
                              : !answer.reason.empty() ? answer.reason
                                                       : answer.code;
    return std::to_string(answer.status) + " " + word;
}

std::string whole(const Answer& answer) {
    return text(answer) + " " + answer.prepare_id + " " + answer.result;
}

}  // namespace twophase::participants::testing
