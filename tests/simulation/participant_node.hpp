// The real branch rules, routes and inquirer of a participant on a simulated machine.
#pragma once

#include "http/router.hpp"
#include "participants/branches.hpp"
#include "participants/coupon/coupon_resource.hpp"
#include "participants/credit/credit_resource.hpp"
#include "participants/inquirer.hpp"
#include "participants/log_confirmer.hpp"
#include "participants/request_queue.hpp"
#include "tests/simulation/ledger.hpp"
#include "tests/simulation/node.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace twophase::simulation {

class ParticipantNode : public Node {
public:
    ParticipantNode(World& world,
                    Ledger& ledger,
                    const std::string& name,
                    const std::string& directory);

    void answer(http::Request request, http::Respond respond) override;

    struct Row {
        std::string gid, branch_id;
        participants::Branch branch;
    };
    /// All branches as the store holds them; only while it is up.
    std::vector<Row> branches();
    std::optional<participants::Branch> branch(const std::string& gid,
                                               const std::string& branch_id);
    bool is_ready() const { return is_up() && branches_.has_value() && has_true_store; }
    /// Not an old copy, nor an empty one: those are not looked at.
    bool has_true_store = true;
    wal::Store* store() override { return store_.get(); }
    std::size_t in_doubt();
    /// What the books say wrongly, or nothing. Looks at everything.
    virtual std::string fault_in_books() = 0;
    /// Credits frozen, or coupons reserved: for branches in doubt alone.
    virtual std::int64_t held() = 0;

protected:
    virtual std::vector<std::string> resource_tables() const = 0;
    virtual participants::Resource& make_resource(const participants::TableOf& table_of) = 0;
    /// The first rows, in one unit.
    virtual void found(wal::Unit& unit, const participants::Moment& moment) = 0;

    participants::Moment moment() const;
    Ledger& ledger_;

private:
    void boot() override;
    void unmake() override;
    void forget_later();
    void watch_answer(const http::Request& request, const http::Response& response);

    recovery::Metrics registry_;
    participants::ParticipantMetrics metrics_{registry_};
    std::unique_ptr<wal::Store> store_;
    std::optional<participants::RequestQueue> queue_;
    std::optional<participants::Branches> branches_;
    std::optional<http::Router> router_;
    std::optional<participants::LogConfirmer> confirmer_;
    std::optional<participants::Inquirer> inquirer_;
    std::unique_ptr<recovery::Alarm> forget_alarm_;
};

class CreditNode : public ParticipantNode {
public:
    CreditNode(World& the_world, Ledger& ledger, const std::string& where)
        : ParticipantNode(the_world, ledger, "credit", where) {}
    std::string fault_in_books() override;
    std::int64_t balance(const std::string& user);
    std::int64_t held() override;

private:
    std::vector<std::string> resource_tables() const override;
    participants::Resource& make_resource(const participants::TableOf& table_of) override;
    void found(wal::Unit& unit, const participants::Moment& moment) override;
    std::optional<participants::credit::CreditResource> resource_;
};

class CouponNode : public ParticipantNode {
public:
    CouponNode(World& the_world, Ledger& ledger, const std::string& where)
        : ParticipantNode(the_world, ledger, "coupon", where) {}
    std::string fault_in_books() override;
    std::int64_t held() override;

private:
    std::vector<std::string> resource_tables() const override;
    participants::Resource& make_resource(const participants::TableOf& table_of) override;
    void found(wal::Unit& unit, const participants::Moment& moment) override;
    std::optional<participants::coupon::CouponResource> resource_;
};

}  // namespace twophase::simulation
