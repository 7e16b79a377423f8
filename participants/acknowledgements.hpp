// Findings that a person has acknowledged: quiet as long as their numbers stay the same.
#pragma once

#include "participants/finding.hpp"
#include "participants/messages.hpp"
#include "participants/resource.hpp"
#include "wal/unit.hpp"

#include <string>

namespace twophase::participants {

class Acknowledgements {
public:
    explicit Acknowledgements(const TableOf& table_of);
    static std::vector<std::string> tables();

    /// From now on this finding is quiet, while its numbers and states are these.
    void add(wal::Unit& unit,
             const Finding& finding,
             const std::string& reason,
             const Origin& who,
             const Moment& moment) const;
    /// The reason why this finding is quiet; empty: it isn't. One that was acknowledged with other
    /// numbers is forgotten.
    std::string reason_of(wal::Unit& unit, const Finding& finding) const;

private:
    wal::Table table_;
};

}  // namespace twophase::participants
