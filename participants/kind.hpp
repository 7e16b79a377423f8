// What tells one kind of participant from another: its tables, its resource, its own routes.
#pragma once

#include "http/router.hpp"
#include "participants/audit.hpp"
#include "participants/books.hpp"
#include "participants/request_queue.hpp"
#include "participants/resource.hpp"

#include <memory>
#include <string>
#include <vector>

namespace twophase::recovery {
class Alerts;
class PageThread;
class Surroundings;
}  // namespace twophase::recovery

namespace twophase::participants {

/// What a resource's own routes are built from. All of it outlives the router.
struct Surroundings {
    http::Router& router;
    RequestQueue& queue;
    const Audit& audit;
    Clock clock;
    std::string participant;
    recovery::Surroundings& machine;
    recovery::Alerts& alerts;
    recovery::PageThread& pages;  // for what reads much
};

/// A kind of participant: what tells credit from coupon. One resource serves one store.
class Kind {
public:
    virtual ~Kind() = default;
    /// Written into the store, which another kind then can't open. A literal.
    virtual std::string name() const = 0;
    virtual std::vector<std::string> tables() const = 0;
    virtual Resource& open(const TableOf& table_of) = 0;
    /// What a reconciliation checks beside the branches; none by default.
    virtual std::unique_ptr<Books> books(const TableOf&) const { return nullptr; }
    virtual void add_routes(const Surroundings& surroundings) = 0;
    /// The program is about to stop: answers what would wait longer than its end. On the loop.
    virtual void stop() {}
};

}  // namespace twophase::participants
