// The real coordinator service on a simulated machine.
#pragma once

#include "coordinator/service.hpp"
#include "http/router.hpp"
#include "tests/simulation/ledger.hpp"
#include "tests/simulation/node.hpp"

#include <memory>
#include <string>

namespace twophase::simulation {

class CoordinatorNode : public Node {
public:
    CoordinatorNode(World& world,
                    Ledger& ledger,
                    const std::string& name,
                    const std::string& directory);

    /// Its log is the one that counts: not a copy that others know more of, nor a new one that
    /// nobody listens to.
    bool has_true_log = true;
    /// It takes a lost log's place, and not all that was lost is settled.
    bool lacks_lost = false;
    /// How many logs were put into its folder.
    std::uint64_t logs = 0;

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
    void add_routes();
    void watch_answer(const http::Request& request, const http::Response& response);
    void note_decided(const coordinator::Transaction& transaction, coordinator::Decision decision);
    void watch(const coordinator::Event& event, const coordinator::Protocol& core);

    Ledger& ledger_;
    coordinator::Config config_;
    http::Router router_;
    bool is_open_ = false;
    std::unique_ptr<coordinator::Service> service_;
};

}  // namespace twophase::simulation
