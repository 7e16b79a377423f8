// Records as JSON: for people, for fingerprints, and as earlier builds wrote them into the log.
#pragma once

#include "coordinator/record_codec.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace twophase::coordinator {

/// As the APIs show it: one object, members in alphabetical order, the gid not among them; `at` in
/// RFC 3339.
std::string json_of(const Stamped& stamped);

/// What an earlier build wrote. Throws std::exception with what is wrong with it.
Stamped record_in_json(const Gid& gid, std::string_view text);

std::string to_hex(const Fingerprint& fingerprint);

/// SHA-256 over mode and branches as canonical JSON (http/canonical_json.hpp) behind the version of
/// this rule: what makes two submissions the same. nullopt where a payload has a number whose
/// exponent is beyond what can be compared.
std::optional<Fingerprint> fingerprint_of(Mode mode, const std::vector<BranchRequest>& branches);

}  // namespace twophase::coordinator
