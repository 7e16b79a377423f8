// The real coordinator service on a simulated machine.
#pragma once

#include "coordinator/service.hpp"
#include "tests/simulation/ledger.hpp"
#include "tests/simulation/node.hpp"

#include <memory>
#include <string>

namespace twophase::simulation {

class CoordinatorNode : public Node {
public:
    CoordinatorNode(World& world, Ledger& ledger, const std::string& directory);

    /// Null while it is down or not ready.
    coordinator::Service* service() {
        return is_up() && service_ && service_->is_ready() ? service_.get() : nullptr;
    }
    void answer(http::Request request, http::Respond respond) override;

private:
    void boot() override;
    void unmake() override { service_.reset(); }
    wal::Store* store() override {
        return service_ && is_open_ ? &service_->log().store() : nullptr;
    }
    void watch(const coordinator::Event& event, const coordinator::Protocol& core);

    Ledger& ledger_;
    coordinator::Config config_;
    bool is_open_ = false;
    std::unique_ptr<coordinator::Service> service_;
};

}  // namespace twophase::simulation
