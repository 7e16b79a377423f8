// Coupon as a participant: its resource and its own routes.
#pragma once

#include "participants/config.hpp"
#include "participants/coupon/coupon_resource.hpp"
#include "participants/kind.hpp"

#include <memory>
#include <optional>

namespace twophase::participants::coupon {

class CouponKind : public Kind {
public:
    std::string name() const override { return "coupon"; }
    std::vector<std::string> tables() const override;
    Resource& open(const TableOf& table_of) override;
    std::unique_ptr<Books> books(const TableOf& table_of) const override;
    void add_routes(const Surroundings& surroundings) override;

private:
    std::optional<CouponResource> resource_;
    TableOf table_of_;
};

/// The defaults of coupon-participant.
inline Config defaults() { return default_config("coupon", 7072); }

}  // namespace twophase::participants::coupon
