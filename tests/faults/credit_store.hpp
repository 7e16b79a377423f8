// The store of a credit participant that is stopped, for tests that damage or forge what is in it.
#pragma once

#include "participants/branches.hpp"
#include "participants/credit/accounts.hpp"
#include "participants/direct_calls.hpp"
#include "wal/store.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iterator>
#include <utility>

namespace twophase::faults {

/// Changes it past all rules, in one durable unit. Nobody may have it open.
inline void change_credit_store(const std::filesystem::path& directory,
                                const std::function<void(wal::Store&, wal::Unit&)>& change) {
    wal::StoreOptions options{.directory = directory, .kind = "credit"};
    options.id = "credit";
    options.any_filesystem = true;
    options.tables = participants::branch_tables();
    std::ranges::copy(participants::credit::Accounts::tables(), std::back_inserter(options.tables));
    std::ranges::copy(participants::DirectCalls::tables(), std::back_inserter(options.tables));
    wal::Store store(std::move(options), [](const std::function<void()>&) {});
    store.submit(
        {.work = [&](wal::Unit& unit) { change(store, unit); }, .then = [](wal::Written) {}});
    store.stop();
}

}  // namespace twophase::faults
