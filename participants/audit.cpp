#include "participants/audit.hpp"

#include "http/json.hpp"
#include "participants/record.hpp"

#include <algorithm>
#include <array>
#include <openssl/sha.h>

namespace twophase::participants {
namespace {

using http::Json;

constexpr std::size_t most_looked_at = 10'000;

struct Head {
    std::uint64_t seq = 0;
    std::string hash;
    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.seq);
        visit(self.hash);
    }
};
constexpr std::string_view head_key = "audit head";

/// Writes the members of one object by hand, in the order of their names, as Json's dump would:
/// this runs for every message on the writer's thread, where a tree of nodes is felt.
class ObjectText {
public:
    void text(std::string_view name, std::string_view value) {
        open(name);
        const bool is_plain = std::all_of(value.begin(), value.end(), [](unsigned char c) {
            return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
        });
        if (is_plain)
            text_.append("\"").append(value).append("\"");
        else
            text_ += http::dump_replacing(Json(value));  // a header may hold any bytes
    }
    void number(std::string_view name, std::int64_t value) { raw(name, std::to_string(value)); }
    void raw(std::string_view name, std::string_view json) {
        open(name);
        text_ += json.empty() ? "null" : json;
    }
    std::string close() && { return std::move(text_) + "}"; }

private:
    void open(std::string_view name) {
        text_.append(text_.size() > 1 ? ",\"" : "\"").append(name).append("\":");
    }
    std::string text_ = "{";
};

/// Everything but the two hashes, sorted by name.
std::string canonical(const AuditEntry& entry, std::uint64_t seq) {
    ObjectText object;
    object.text("actor", entry.origin.actor);
    object.raw("after_state", entry.change.after_state);
    object.number("amount", entry.change.amount);
    object.raw("before_state", entry.change.before_state);
    object.text("branch_id", entry.branch_id);
    object.text("business_code", entry.business_code);
    object.text("business_id", entry.business_id);
    object.text("code", entry.code);
    if (!entry.detail.empty()) object.raw("detail", entry.detail);
    object.text("gid", entry.gid);
    object.text("ip", entry.origin.ip);
    object.text("operation", entry.operation);
    object.text("request_id", entry.origin.request_id);
    object.number("seq", static_cast<std::int64_t>(seq));
    object.text("service", entry.service);
    object.raw("success", entry.success ? "true" : "false");
    object.number("timestamp", entry.timestamp);
    object.text("transaction_id", entry.change.transaction_id);
    object.text("user_id", entry.change.user_id);
    object.text("verb", entry.verb);
    return std::move(object).close();
}

/// Finds a member in the text of an entry, without making a tree of it: entries are written by
/// canonical() alone, and what it writes of a text nobody can make look like a member.
class MemberText {
public:
    MemberText(std::string_view name, const std::string& value)
        : text_(value.empty()
                    ? ""
                    : "\"" + std::string(name) + "\":" + http::dump_replacing(Json(value))) {}
    bool is_in(std::string_view entry) const {
        return text_.empty() || entry.find(text_) != std::string_view::npos;
    }

private:
    std::string text_;  // empty: any
};

/// What is wrong with one link, given the hash before it; moves `previous` on.
std::optional<std::string> check_link(std::string_view key,
                                      std::string_view value,
                                      std::uint64_t expected,
                                      std::string& previous) {
    const std::string name = "audit entry " + std::to_string(expected);
    Json entry = Json::parse(value, nullptr, false);
    if (!entry.is_object()) return name + " is not JSON";
    if (number_in(key) != expected || entry.value("seq", Json()) != expected)
        return name + " is missing";
    if (entry.value("previous_hash", "") != previous)
        return name + " does not follow the one before";
    const std::string hash = entry.value("hash", "");
    entry.erase("hash");
    entry.erase("previous_hash");
    if (sha256(previous + http::dump_replacing(entry)) != hash) return name + " was changed";
    previous = hash;
    return std::nullopt;
}

}  // namespace

Audit::Audit(const TableOf& table_of) : audit_(table_of("audit")), numbers_(table_of("numbers")) {}

void Audit::append(wal::Unit& unit, const AuditEntry& entry) const {
    Head head = read<Head>(unit, numbers_, head_key).value_or(Head{});
    ++head.seq;
    std::string text = canonical(entry, head.seq);
    const std::string previous = std::exchange(head.hash, sha256(head.hash + text));
    text.pop_back();
    text += R"(,"previous_hash":")" + previous + R"(","hash":")" + head.hash + "\"}";
    unit.put(audit_, key_of(head.seq), std::move(text));
    write(unit, numbers_, head_key, head);
}

Audit::Page Audit::list(const wal::Reader& reader, const Filter& filter) const {
    Page page;
    const MemberText gid("gid", filter.gid);
    const MemberText user_id("user_id", filter.user_id);
    wal::Cursor cursor = reader.cursor(audit_);
    bool is_there = filter.before ? cursor.seek_before(key_of(*filter.before)) : cursor.last();
    for (std::size_t looked = 0; is_there; is_there = cursor.previous(), ++looked) {
        if (page.items.size() == filter.limit || looked == most_looked_at) {
            page.next = number_in(cursor.key()) + 1;
            break;
        }
        if (!gid.is_in(cursor.value()) || !user_id.is_in(cursor.value())) continue;
        if (Json::accept(cursor.value())) page.items.emplace_back(cursor.value());
    }
    return page;
}

std::optional<std::string> Audit::verify(const wal::Reader& reader) const {
    std::string previous;
    std::uint64_t expected = 0;
    wal::Cursor cursor = reader.cursor(audit_);
    for (bool is_there = cursor.first(); is_there; is_there = cursor.next())
        if (auto broken = check_link(cursor.key(), cursor.value(), ++expected, previous))
            return broken;
    const Head head = read<Head>(reader, numbers_, head_key).value_or(Head{});
    if (head.seq != expected || head.hash != previous)
        return "audit entry " + std::to_string(expected + 1) + " is missing";
    return std::nullopt;
}

std::string sha256(std::string_view bytes) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
    return in_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace twophase::participants
