// PUT on an account.
#pragma once

#include "participants/credit/adjustments.hpp"
#include "participants/kind.hpp"

namespace twophase::participants::credit {

/// Adds PUT /v1/accounts/{user_id}/{credit_type} {balance, reason} with `If-Match`, and
/// `Lock-Token` where the caller holds the lock. `adjustments` may go, what it stands on must stay.
void add_adjust_route(const Surroundings& around, const Adjustments& adjustments);

}  // namespace twophase::participants::credit
