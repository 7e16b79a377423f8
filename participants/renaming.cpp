#include "participants/renaming.hpp"

#include "http/json.hpp"
#include "participants/audit.hpp"
#include "participants/config.hpp"

#include <algorithm>
#include <vector>

namespace twophase::participants {

void rename_store(wal::Store& store,
                  const std::string& to,
                  const std::string& reason,
                  const std::string& who,
                  const Moment& moment) {
    const std::string from = store.identity().id;
    if (!is_participant_name(to))
        throw wal::StoreError::refused("'" + to + "' is no name: 1 to 64 of A-Za-z0-9_-");
    if (to == from) throw wal::StoreError::refused("the store is named " + to + " already");
    const Audit audit([&store](std::string_view name) { return store.table(name); });
    AuditEntry entry;
    entry.service = to;
    entry.operation = "rename_store";
    entry.origin.actor = who;
    entry.timestamp = moment.microseconds;
    entry.success = true;
    entry.detail = http::dump_replacing(http::Json{{"from", from}, {"to", to}, {"reason", reason}});
    store.submit({.work =
                      [&](wal::Unit& unit) {
                          wal::Store::amend(unit, store, [&](wal::StoreIdentity& identity) {
                              std::erase(identity.former_ids, to);
                              identity.former_ids.push_back(from);
                              identity.id = to;
                          });
                          audit.append(unit, entry);
                      },
                  .then = [](wal::Written) {},
                  .label = "rename_store"});
    store.stop();
}

}  // namespace twophase::participants
