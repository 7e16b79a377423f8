// The branch rules on a table bench: one open batch, no disk syncs, no clock, no network.
#pragma once

#include "participants/branches.hpp"
#include "wal/environment.hpp"
#include "wal/unit.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::participants::testing {

/// A directory that is gone with this.
class TemporaryDirectory {
public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// The tables of a participant in one open batch.
class OpenStore {
public:
    explicit OpenStore(const std::vector<std::string>& tables);
    TableOf table_of();
    wal::Batch& batch() { return batch_; }
    /// Runs `work` in a unit of its own and applies it.
    template <class Function>
    auto in_unit(Function work) {
        wal::Unit unit(batch_);
        auto value = work(unit);
        unit.apply();
        return value;
    }

private:
    TemporaryDirectory directory_;
    wal::Environment environment_;
    wal::Batch batch_;
    std::map<std::string, wal::Table, std::less<>> tables_;
};

/// gid number n: gids of a greater number are greater.
std::string gid(int n);

/// A message of coordinator "main" in epoch 1 to `participant`.
Message message(Verb verb, const std::string& gid, std::string participant);

/// "200 prepared", "409 already_committed", "409 insufficient_credits".
std::string text(const Answer& answer);

/// All that a repeat must repeat.
std::string whole(const Answer& answer);

}  // namespace twophase::participants::testing
