// A participant in this process that keeps the contract, but for one flaw.
#pragma once

#include "http/endpoint.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace twophase::conformance {

class FakeParticipant {
public:
    /// `flaw` empty: none. It asks about branches in doubt at the address in `coordinator_file`.
    FakeParticipant(std::string flaw, std::filesystem::path coordinator_file);
    ~FakeParticipant();
    FakeParticipant(const FakeParticipant&) = delete;
    FakeParticipant& operator=(const FakeParticipant&) = delete;

    http::Endpoint endpoint() const;
    /// Crashes, after a few prepares where some are on their way, and comes back.
    void restart();
    void fill();
    std::string observe();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace twophase::conformance
