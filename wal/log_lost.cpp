// Transactions of a lost log, as participants tell of them: kept until somebody has settled them.
#include "wal/bytes.hpp"
#include "wal/log.hpp"
#include "wal/log_keys.hpp"
#include "wal/sealed.hpp"

#include <algorithm>
#include <utility>

namespace twophase::wal {
namespace {

void append_text(std::string& to, std::string_view text) {
    append_number(to, static_cast<std::uint32_t>(text.size()));
    to.append(text);
}

std::string take_text(std::string_view& from) {
    const auto size = read_number<std::uint32_t>(from);
    std::string text(from.substr(sizeof size, size));
    from.remove_prefix(sizeof size + text.size());
    return text;
}

std::string lost_key(const LostBranch& branch) {
    return std::string(bytes_of(branch.gid)) + branch.participant + "/" + branch.branch_id;
}

bool has_key(const LostBranch& branch) {
    return is_valid({branch.business_code, branch.business_id, 1});
}

std::string key_row(const LostBranch& branch) {
    return business_prefix(branch.business_code, branch.business_id).append(bytes_of(branch.gid));
}

std::string lost_value(std::string_view key, const LostBranch& branch) {
    std::string value;
    for (const std::string* text : {&branch.participant,
                                    &branch.branch_id,
                                    &branch.state,
                                    &branch.operation,
                                    &branch.business_code,
                                    &branch.business_id})
        append_text(value, *text);
    return seal(key, std::move(value));
}

std::optional<LostBranch> to_lost(std::string_view key, std::string_view stored) {
    auto value = unseal(key, stored);
    const auto gid = to_gid(key.substr(0, sizeof(Gid)));
    if (!value || !gid) return std::nullopt;
    LostBranch branch{.gid = *gid};
    for (std::string* text : {&branch.participant,
                              &branch.branch_id,
                              &branch.state,
                              &branch.operation,
                              &branch.business_code,
                              &branch.business_id})
        *text = take_text(*value);
    return branch;
}

}  // namespace

void Log::note_lost(std::vector<LostBranch> branches, std::function<void(Written)> then) {
    store_->submit({.work =
                        [this, branches = std::move(branches)](Unit& unit) {
                            for (const LostBranch& branch : branches) {
                                const std::string key = lost_key(branch);
                                unit.put(tables_.lost, key, lost_value(key, branch));
                                if (has_key(branch))
                                    unit.put(tables_.lost_keys, key_row(branch), "");
                            }
                        },
                    .then = std::move(then),
                    .label = "lost"});
}

void Log::settle(Unit& unit, const Gid& gid) const {
    std::vector<std::string> keys;
    std::vector<std::string> business;
    unit.scan(tables_.lost,
              bytes_of(gid),
              above_records(gid),
              [&](std::string_view key, std::string_view value) {
                  keys.emplace_back(key);
                  if (const auto branch = to_lost(key, value); branch && has_key(*branch))
                      business.push_back(key_row(*branch));
                  return true;
              });
    for (const std::string& key : keys) unit.erase(tables_.lost, key);
    for (const std::string& key : business) unit.erase(tables_.lost_keys, key);
}

void Log::forget_lost(const Gid& gid) {
    store_->submit(
        {.work = [this, gid](Unit& unit) { settle(unit, gid); }, .then = {}, .label = "settled"});
}

std::vector<LostBranch> Log::lost(std::optional<Gid> after, std::size_t limit) const {
    std::vector<LostBranch> all;
    const Snapshot snapshot = store_->snapshot();
    Cursor cursor = snapshot.cursor(tables_.lost);
    const std::string from = after ? above_records(*after) : std::string();
    if (after && from.empty()) return all;
    std::optional<Gid> last;
    std::size_t transactions = 0;
    for (bool found = after ? cursor.seek(from) : cursor.first(); found; found = cursor.next()) {
        const auto gid = to_gid(cursor.key().substr(0, sizeof(Gid)));
        if (gid != last && ++transactions > limit) break;
        last = gid;
        if (auto branch = to_lost(cursor.key(), cursor.value())) all.push_back(*std::move(branch));
    }
    return all;
}

std::vector<LostBranch> Log::lost(const Gid& gid) const {
    std::vector<LostBranch> all;
    const Snapshot snapshot = store_->snapshot();
    Cursor cursor = snapshot.cursor(tables_.lost);
    for (bool found = cursor.seek(bytes_of(gid)); found && cursor.key().starts_with(bytes_of(gid));
         found = cursor.next())
        if (auto branch = to_lost(cursor.key(), cursor.value())) all.push_back(*std::move(branch));
    return all;
}

std::vector<Gid> Log::lost_under(std::string_view code, std::string_view id) const {
    std::vector<Gid> gids;
    const std::string prefix = business_prefix(code, id);
    const Snapshot snapshot = store_->snapshot();
    Cursor cursor = snapshot.cursor(tables_.lost_keys);
    for (bool found = cursor.seek(prefix); found && cursor.key().starts_with(prefix);
         found = cursor.next())
        if (const auto gid = to_gid(cursor.key().substr(prefix.size()))) gids.push_back(*gid);
    return gids;
}

std::optional<Gid> Log::lowest_lost() const {
    const Snapshot snapshot = store_->snapshot();
    Cursor cursor = snapshot.cursor(tables_.lost);
    if (!cursor.first()) return std::nullopt;
    return to_gid(cursor.key().substr(0, sizeof(Gid)));
}

}  // namespace twophase::wal
