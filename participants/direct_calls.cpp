#include "participants/direct_calls.hpp"

#include "participants/record.hpp"

namespace twophase::participants {
namespace {

std::string text_of(const DirectKey& key) {
    return key.operation + '\0' + key.business_code + '\0' + key.business_id;
}

}  // namespace

std::optional<DirectCall> DirectCalls::find(const wal::Unit& unit, const DirectKey& key) const {
    return read<DirectCall>(unit, calls_, text_of(key));
}

std::optional<DirectCall> DirectCalls::find(const wal::Reader& reader, const DirectKey& key) const {
    return read<DirectCall>(reader, calls_, text_of(key));
}

void DirectCalls::remember(wal::Unit& unit, const DirectKey& key, const DirectCall& call) const {
    write(unit, calls_, text_of(key), call);
}

Refusal payload_changed() {
    Refusal refusal;
    refusal.status = 422;
    refusal.code = "payload-changed";
    refusal.message = "this business_code and business_id name another request already";
    return refusal;
}

}  // namespace twophase::participants
