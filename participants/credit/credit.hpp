// Credit as a participant: its resource and its own routes.
#pragma once

#include "participants/config.hpp"
#include "participants/credit/credit_resource.hpp"
#include "participants/credit/lock_lines.hpp"
#include "participants/credit/postings.hpp"
#include "participants/kind.hpp"

#include <memory>
#include <optional>

namespace twophase::participants::credit {

class CreditKind : public Kind {
public:
    std::string name() const override { return "credit"; }
    std::vector<std::string> tables() const override;
    Resource& open(const TableOf& table_of) override;
    std::unique_ptr<Books> books(const TableOf& table_of) const override;
    void add_routes(const Surroundings& surroundings) override;
    void stop() override;

private:
    std::optional<CreditResource> resource_;
    TableOf table_of_;
    std::optional<Postings> postings_;
    std::weak_ptr<LockLines> lock_lines_;  // the router's
};

/// The defaults of credit-participant.
inline Config defaults() { return default_config("credit", 7071); }

}  // namespace twophase::participants::credit
