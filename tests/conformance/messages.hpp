// What this program sends: the contract's messages as plain data and as JSON text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace twophase::conformance {

enum class Verb { prepare, commit, rollback, execute, compensate };

/// "prepare", ...: a literal.
const char* to_string(Verb verb);

/// One participant's part of a transaction.
struct Branch {
    std::string gid;
    std::string branch_id = "1";

    friend bool operator==(const Branch&, const Branch&) = default;
};

/// Which log of a coordinator speaks, and which start of it.
struct Log {
    std::string log{};  // 32 hexadecimal digits; empty: not told
    std::string start{};
    std::uint64_t position = 0;
    std::vector<std::string> replaces{};  // logs whose place it takes
};

struct Message {
    Verb verb = Verb::prepare;
    Branch branch;
    std::string participant;
    std::string coordinator;
    std::uint64_t epoch = 0;
    Log log{};
    std::string low_water;
    std::string request_id;

    // prepare and execute
    std::string operation;
    std::string payload;               // JSON text
    std::optional<int> retry_count{};  // execute in eventual delivery; with max_retries 3

    // commit and rollback; empty: not sent
    std::string prepare_id;
};

/// A member's name and its value as JSON text.
using Members = std::vector<std::pair<std::string, std::string>>;

Members members_of(const Message& message);
std::string to_json(const Members& members);
std::string to_json(const Message& message);
/// The members with `name` given another value, which need not be right JSON.
Members with(Members members, const std::string& name, const std::string& value);
Members without(Members members, const std::string& name);

/// One HTTP request. `about` is the branch that its answer must name.
struct Request {
    std::string method = "POST";
    std::string target;  // below the base URL
    std::string body;
    std::string content_type = "application/json";
    Branch about;
    std::string traceparent;
};

Request request_of(const Message& message);
/// The messages, which are of one verb, as an array.
Request request_of(const std::vector<Message>& messages);
/// `body` sent as a message of `verb`.
Request raw_request(Verb verb, std::string body, const Branch& about = {});

}  // namespace twophase::conformance
