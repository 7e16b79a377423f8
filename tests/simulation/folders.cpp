#include "tests/simulation/folders.hpp"

#include "participants/branch.hpp"
#include "participants/record.hpp"
#include "wal/store_table.hpp"

namespace twophase::simulation::folders {
namespace {

constexpr std::size_t map_bytes = std::size_t{512} << 20;

wal::Environment open(const std::string& directory) {
    return wal::Environment(
        {.directory = directory, .map_bytes = map_bytes, .max_tables = 64, .read_only = true});
}

}  // namespace

wal::StoreIdentity identity_of(const std::string& directory) {
    wal::Environment environment = open(directory);
    const auto table = environment.find_table(wal::store_table_name);
    return wal::read_identity(environment.snapshot(), table.value()).value();
}

std::uint64_t position_of(const std::string& directory) {
    wal::Environment environment = open(directory);
    const auto table = environment.find_table(wal::store_table_name);
    return wal::read_named_number(environment.snapshot(), table.value(), wal::position_name);
}

bool has_transactions(const std::string& directory) {
    wal::Environment environment = open(directory);
    const auto records = environment.find_table("records");
    return records && environment.snapshot().count(*records) > 0;
}

void change_identity(const std::string& directory,
                     const std::function<void(wal::StoreIdentity&)>& change) {
    wal::Environment environment({.directory = directory, .map_bytes = map_bytes});
    const auto table = environment.find_table(wal::store_table_name);
    wal::Batch batch = environment.batch();
    wal::StoreIdentity identity = wal::read_identity(batch, table.value()).value();
    change(identity);
    wal::write_identity(batch, *table, identity);
    batch.commit();
}

std::optional<participants::LogClaim> known_log(const std::string& directory,
                                                const std::string& coordinator) {
    wal::Environment environment = open(directory);
    const auto table = environment.find_table("coordinators");
    if (!table) return std::nullopt;
    const auto known =
        participants::read<participants::Coordinator>(environment.snapshot(), *table, coordinator);
    if (!known || known->log.empty()) return std::nullopt;
    return participants::seen_of(*known);
}

}  // namespace twophase::simulation::folders
