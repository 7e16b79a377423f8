// POST /v1/comparisons: a participant asks how its branches agree with the log.
#pragma once

#include "coordinator/service.hpp"
#include "http/message.hpp"

namespace twophase::coordinator {

/// {participant, after?, through?, forgotten_up_to?, items:[{gid, branch_id, state}]}: all branches
/// of ours that the participant has with `after` < gid <= `through` (none: from the first, to the
/// last), at most 1,000 → {coordinator, epoch, compared_through?, findings}. With
/// `compared_through` the log was read so far only: what lies above wants asking again.
http::Response compare_branches(const Service& service, const http::Request& request);

}  // namespace twophase::coordinator
