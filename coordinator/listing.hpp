// GET /v1/transactions: live and finished ones together, newest first, filtered and paged.
#pragma once

#include "coordinator/service.hpp"
#include "http/message.hpp"

#include <boost/system/result.hpp>

#include <memory>
#include <utility>

namespace twophase::coordinator {

/// {items, next}: query state (or "unfinished": all but the ended; "urgent": those of them for
/// which a person has to act), participant, business_code, business_id, before (a gid), limit (1 to
/// 500, 100). A page may hold fewer items than exist: go on at `next` until it is null.
///
/// A page is made in two parts: begin() takes what is live, finish() reads the rest from the log.
/// What was told before begin() is in it.
class Listing {
public:
    /// On the loop. A refusal of the query in place of it.
    static boost::system::result<Listing, http::Response> begin(const Service& service,
                                                                const http::Request& request);
    /// On any thread, once; the service's log must be open.
    http::Response finish() const;

private:
    class Page;
    explicit Listing(std::shared_ptr<Page> page) : page_(std::move(page)) {}
    std::shared_ptr<Page> page_;
};

/// Both at once.
http::Response list_transactions(const Service& service, const http::Request& request);

}  // namespace twophase::coordinator
