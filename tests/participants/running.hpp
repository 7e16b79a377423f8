// Participants and a stand-in for a coordinator, running on loops of their own.
#pragma once

#include "http/endpoint.hpp"
#include "http/json.hpp"
#include "http/message.hpp"
#include "participants/config.hpp"
#include "participants/kind.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace twophase::participants::testing {

/// A participant in this process, ready when constructed. Its address is read from
/// `directory`/address, its store lies in `directory`/store.
class RunningParticipant {
public:
    RunningParticipant(std::unique_ptr<Kind> kind,
                       Config config,
                       const std::filesystem::path& directory);
    ~RunningParticipant();
    const http::Endpoint& endpoint() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Answers every GET with what `answer` gives, on its own thread; the question's nonce is added to
/// an object that has none.
class StandInCoordinator {
public:
    using Answer = std::function<http::Response(const std::string& path)>;
    explicit StandInCoordinator(Answer answer);
    ~StandInCoordinator();
    std::string url() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

struct Reply {
    unsigned status = 0;  // 0: none came
    http::Json body;
    std::string header(const std::string& name) const;
    http::Response response;
};

Reply get(const http::Endpoint& to, const std::string& target);
Reply post(const http::Endpoint& to, const std::string& target, const http::Json& body);
/// With any method and headers; without a body where that is null.
Reply send(const http::Endpoint& to,
           const std::string& method,
           const std::string& target,
           const http::Json& body,
           std::vector<http::Header> headers = {});

/// Asks until `is_done`, at most for half a minute.
bool eventually(const std::function<bool()>& is_done);

/// A branch message as JSON.
http::Json branch_message(const std::string& gid, const std::string& participant);
/// The prepare of a deduction from Ann's points, in transaction n.
http::Json deduct(int n, std::int64_t amount = 30);

}  // namespace twophase::participants::testing
