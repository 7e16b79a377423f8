#include "coordinator/record_codec.hpp"

#include "coordinator/record_json.hpp"

#include <algorithm>
#include <concepts>
#include <limits>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace twophase::coordinator {
namespace {

// Earlier builds wrote JSON objects, which begin with a brace.
constexpr char version = 1;

template <class Type, class Wanted>
concept Is = std::same_as<std::remove_const_t<Type>, Wanted>;

// Each record's fields in the order in which they are stored, for both directions. Stored, so never
// to be changed: what differs is another version.
template <class Visit>
void fields(Visit& visit, Is<BusinessKey> auto& key) {
    visit(key.code, key.id, key.attempt);
}
template <class Visit>
void fields(Visit& visit, Is<Origin> auto& origin) {
    visit(origin.ip, origin.request_id, origin.actor);
}
template <class Visit>
void fields(Visit& visit, Is<BranchRequest> auto& branch) {
    visit(branch.branch_id,
          branch.participant,
          branch.operation,
          branch.payload,
          branch.after,
          branch.max_retries,
          branch.retry_delay_milliseconds);
}
template <class Visit>
void fields(Visit& visit, Is<Why> auto& why) {
    visit(why.code, why.message, why.branch);
}
template <class Visit>
void fields(Visit& visit, Is<BranchVote> auto& vote) {
    visit(vote.vote, vote.prepare_id, vote.result, vote.code, vote.message);
}
template <class Visit>
void fields(Visit& visit, Is<Started> auto& r) {
    visit(
        r.mode, r.key, r.fingerprint, r.branches, r.origin, r.traceparent, r.timeout_milliseconds);
}
template <class Visit>
void fields(Visit& visit, Is<StepDone> auto& r) {
    visit(r.branch, r.result);
}
template <class Visit>
void fields(Visit& visit, Is<Decided> auto& r) {
    visit(r.decision, r.why, r.votes);
}
template <class Visit>
void fields(Visit& visit, Is<BranchDone> auto& r) {
    visit(r.branch, r.how, r.result);
}
template <class Visit>
void fields(Visit& visit, Is<DeliveryFailed> auto& r) {
    visit(r.branch, r.attempts, r.code, r.message);
}
template <class Visit>
void fields(Visit& visit, Is<Resolved> auto& r) {
    visit(r.branch, r.how, r.who, r.reason);
}
template <class Visit>
void fields(Visit& visit, Is<Finished> auto& r) {
    visit(r.is_heuristic);
}

constexpr Mode last(Mode) { return Mode::eventual; }
constexpr Vote last(Vote) { return Vote::unasked; }
constexpr Decision last(Decision) { return Decision::rollback; }
constexpr How last(How) { return How::by_hand; }

class Encoder {
public:
    explicit Encoder(std::string& to) : to_(to) {}

    template <class... Values>
    void operator()(const Values&... values) {
        (put(values), ...);
    }

private:
    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    void put(std::uint64_t number) {
        for (; number >= 0x80; number >>= 7) to_.push_back(static_cast<char>(number | 0x80));
        to_.push_back(static_cast<char>(number));
    }
    void put(std::uint32_t number) { put(std::uint64_t{number}); }
    void put(bool value) { to_.push_back(value ? 1 : 0); }
    void put(const SharedText& text) {
        put(std::uint64_t{text.size()});
        to_ += text;
    }
    void put(const Fingerprint& fingerprint) { to_.append(fingerprint.begin(), fingerprint.end()); }
    template <class Enum>
    requires std::is_enum_v<Enum>
    void put(Enum value) { to_.push_back(static_cast<char>(value)); }
    template <class Value>
    void put(const std::optional<Value>& value) {
        put(value.has_value());
        if (value) put(*value);
    }
    template <class Item>
    void put(const std::vector<Item>& items) {
        put(std::uint64_t{items.size()});
        for (const Item& item : items) put(item);
    }
    template <class Group>
    requires std::is_class_v<Group>
    void put(const Group& group) { fields(*this, group); }

    std::string& to_;
};

/// Throws std::runtime_error where the bytes can't be what an Encoder wrote.
class Decoder {
public:
    explicit Decoder(std::string_view from) : rest_(from) {}

    template <class... Values>
    void operator()(Values&... values) {
        (take(values), ...);
    }
    std::uint8_t byte() { return static_cast<std::uint8_t>(bytes(1).front()); }
    bool is_at_end() const { return rest_.empty(); }

private:
    std::string_view bytes(std::uint64_t count) {
        if (count > rest_.size()) throw std::runtime_error("it is cut short");
        const std::string_view taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }
    void take(std::uint64_t& number) {
        number = 0;
        for (unsigned shift = 0;; shift += 7) {
            const std::uint64_t bits = byte();
            if (shift == 63 && bits > 1) throw std::runtime_error("a number above 64 bits");
            number |= (bits & 0x7f) << shift;
            if (bits < 0x80) return;
        }
    }
    void take(std::uint32_t& number) {
        std::uint64_t wide = 0;
        take(wide);
        if (!std::in_range<std::uint32_t>(wide))
            throw std::runtime_error("a number that its field can't hold");
        number = static_cast<std::uint32_t>(wide);
    }
    void take(bool& value) {
        const std::uint8_t stored = byte();
        if (stored > 1) throw std::runtime_error("neither yes nor no");
        value = stored == 1;
    }
    void take(SharedText& text) {
        std::uint64_t size = 0;
        take(size);
        text = bytes(size);
    }
    void take(Fingerprint& fingerprint) {
        std::ranges::copy(bytes(fingerprint.size()), fingerprint.begin());
    }
    template <class Enum>
    requires std::is_enum_v<Enum>
    void take(Enum& value) {
        const std::uint8_t stored = byte();
        if (stored > static_cast<unsigned>(last(value)))
            throw std::runtime_error("a word that this version does not know");
        value = static_cast<Enum>(stored);
    }
    template <class Value>
    void take(std::optional<Value>& value) {
        bool is_there = false;
        take(is_there);
        if (is_there) take(value.emplace());
    }
    template <class Item>
    void take(std::vector<Item>& items) {
        std::uint64_t count = 0;
        take(count);
        // Room is made as the items come: the count may be anything.
        for (; count > 0; --count) take(items.emplace_back());
    }
    template <class Group>
    requires std::is_class_v<Group>
    void take(Group& group) { fields(*this, group); }

    std::string_view rest_;
};

template <std::size_t index = 0>
Record empty_record(std::size_t wanted) {
    if constexpr (index < std::variant_size_v<Record>)
        return wanted == index ? Record(std::in_place_index<index>)
                               : empty_record<index + 1>(wanted);
    else
        throw std::runtime_error("a record of type " + std::to_string(wanted));
}

Stamped record_in(const Gid& gid, std::string_view payload) {
    Decoder decoder(payload);
    const char stored_version = static_cast<char>(decoder.byte());
    if (stored_version != version) throw std::runtime_error("it is of a later version");
    Stamped stamped{empty_record(decoder.byte())};
    std::uint64_t at = 0;
    decoder(at);
    stamped.at_microseconds = static_cast<std::int64_t>(at);
    std::visit(
        [&](auto& record) {
            record.gid = gid;
            fields(decoder, record);
        },
        stamped.record);
    if (!decoder.is_at_end()) throw std::runtime_error("something follows its last field");
    return stamped;
}

}  // namespace

std::string encode(const Record& record, std::int64_t at_microseconds) {
    constexpr std::size_t usual_bytes = 320;
    std::string payload;
    payload.reserve(usual_bytes);
    payload.push_back(version);
    payload.push_back(static_cast<char>(record.index()));
    Encoder encoder(payload);
    encoder(static_cast<std::uint64_t>(at_microseconds));
    std::visit([&](const auto& each) { fields(encoder, each); }, record);
    return payload;
}

boost::system::result<Stamped, std::string> decode(const Gid& gid, std::string_view payload) {
    try {
        return payload.starts_with('{') ? record_in_json(gid, payload) : record_in(gid, payload);
    } catch (const std::exception& e) {
        return "a record that can't be read: " + std::string(e.what());
    }
}

}  // namespace twophase::coordinator
