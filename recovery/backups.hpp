// Copies of a store while its program runs.
#pragma once

#include "http/router.hpp"
#include "recovery/surroundings.hpp"
#include "wal/store.hpp"

#include <filesystem>
#include <functional>
#include <memory>

namespace twophase::recovery {

/// Writes marked copies below one directory, each on a thread of its own, one at a time.
class Backups {
public:
    /// `around`, and what `store` gives, must outlive this. An empty directory: none are made.
    Backups(Surroundings& around,
            std::function<const wal::Store&()> store,
            std::filesystem::path directory);
    ~Backups();
    Backups(const Backups&) = delete;
    Backups& operator=(const Backups&) = delete;

    /// Adds POST /v1/backups {name}, which must not outlive this: 201 {backup} once the copy is
    /// whole and on disk; 409 while another is being written, or where one of this name is there.
    void add_route(http::Router& router);
    /// Waits for a copy that is being written. Nothing is begun afterwards.
    void stop();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace twophase::recovery
