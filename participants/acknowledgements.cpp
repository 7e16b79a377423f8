#include "participants/acknowledgements.hpp"

#include "participants/record.hpp"
#include "wal/sha256.hpp"

namespace twophase::participants {
namespace {

struct Acknowledged {
    std::int64_t recorded = 0;
    std::int64_t calculated = 0;
    std::string recorded_state;
    std::string expected_state;
    std::string reason;
    std::string who;
    std::int64_t at = 0;  // microseconds since 1970

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.recorded);
        visit(self.calculated);
        visit(self.recorded_state);
        visit(self.expected_state);
        visit(self.reason);
        visit(self.who);
        visit(self.at);
    }
};

/// Subjects may be long, and hold anything.
std::string key_of(const Finding& finding) {
    const auto hash = wal::sha256(finding.kind + " " + finding.subject);
    return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

}  // namespace

Acknowledgements::Acknowledgements(const TableOf& table_of) : table_(table_of("acknowledged")) {}

std::vector<std::string> Acknowledgements::tables() { return {"acknowledged"}; }

void Acknowledgements::add(wal::Unit& unit,
                           const Finding& finding,
                           const std::string& reason,
                           const Origin& who,
                           const Moment& moment) const {
    write(unit,
          table_,
          key_of(finding),
          Acknowledged{.recorded = finding.recorded,
                       .calculated = finding.calculated,
                       .recorded_state = finding.recorded_state,
                       .expected_state = finding.expected_state,
                       .reason = reason,
                       .who = who.actor,
                       .at = moment.microseconds});
}

std::string Acknowledgements::reason_of(wal::Unit& unit, const Finding& finding) const {
    const std::string key = key_of(finding);
    try {
        const auto known = read<Acknowledged>(unit, table_, key);
        if (!known) return "";
        const bool is_same = known->recorded == finding.recorded &&
                             known->calculated == finding.calculated &&
                             known->recorded_state == finding.recorded_state &&
                             known->expected_state == finding.expected_state;
        if (is_same) return known->reason;
    } catch (const DamagedRecord&) {
        // Better told once too often.
    }
    unit.erase(table_, key);
    return "";
}

}  // namespace twophase::participants
