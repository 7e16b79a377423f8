// Direct calls that were carried out, by what they did and for what business: a repeat gets the
// first answer.
#pragma once

#include "participants/resource.hpp"
#include "wal/environment.hpp"
#include "wal/unit.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace twophase::participants {

/// What a direct call is known by. Neither text holds a NUL; both have at most 128 bytes.
struct DirectKey {
    std::string operation;  // "grant", "deduct", "operations"
    std::string business_code;
    std::string business_id;
};

struct DirectCall {
    std::string request;       // canonical JSON: tells a repeat from another request
    std::uint64_t number = 0;  // of what it did: the entry, or what Operations keeps

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.request);
        visit(self.number);
    }
};

/// The table of direct calls. Only what was carried out is kept: a refusal binds nobody.
class DirectCalls {
public:
    explicit DirectCalls(const TableOf& table_of) : calls_(table_of("direct_calls")) {}
    /// Those of Operations too; a kind with direct calls lists them.
    static std::vector<std::string> tables() { return {"direct_calls", "operations"}; }

    std::optional<DirectCall> find(const wal::Unit& unit, const DirectKey& key) const;
    std::optional<DirectCall> find(const wal::Reader& reader, const DirectKey& key) const;
    void remember(wal::Unit& unit, const DirectKey& key, const DirectCall& call) const;

private:
    wal::Table calls_;
};

/// 422 `payload-changed`: the key names another request.
Refusal payload_changed();

}  // namespace twophase::participants
