// The routes of direct operations.
#pragma once

#include "participants/kind.hpp"
#include "participants/operations.hpp"

namespace twophase::participants {

/// Adds POST and GET /v1/operations. What `operations` stands on must outlive the router.
void add_operation_routes(const Surroundings& around, const Operations& operations);

}  // namespace twophase::participants
