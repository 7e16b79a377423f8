// A transaction as an operation log: steps, what each produced, and what became of the whole.
#pragma once

#include "coordinator/views.hpp"

namespace twophase::coordinator {

/// {operation_id, type, mode, status, steps, error?}. `operation_id` is the gid, `type` the
/// business code; status: started, completed, compensating, compensated, or failed: over and
/// nothing had to be undone, or a person must look. A step: {id, participant, operation, status,
/// error?} and the ids that it produced: members of its result whose names end in "_id" and that
/// its payload had not given; those of its undoing begin with "compensation_".
http::Json operation_json(const View& view);

}  // namespace twophase::coordinator
