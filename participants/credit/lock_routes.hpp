// The routes of the pessimistic lock.
#pragma once

#include "participants/credit/lock_lines.hpp"
#include "participants/kind.hpp"

#include <memory>

namespace twophase::participants::credit {

/// Adds POST and DELETE /v1/accounts/{user_id}/{credit_type}/lock. The router keeps the lines.
void add_lock_routes(const Surroundings& around, const std::shared_ptr<LockLines>& lines);

}  // namespace twophase::participants::credit
