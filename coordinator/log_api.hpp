// Which log this is and whether it may be believed, what a lost one had, and a person's word on it.
#pragma once

#include "coordinator/service.hpp"
#include "http/message.hpp"

namespace twophase::coordinator {

/// GET /v1/identity?nonce=: {coordinator, node, log, epoch, start, position, replaces, open,
/// nonce}. Participants ask before they listen to a log; `open` says whether they may.
http::Response show_identity(const Service& service, const http::Request& request);
/// GET /v1/transactions/{gid}/decision?log=&epoch=&start=&position=: {gid, decision} and the
/// identity. The query tells what the asking participant has seen of this log: one that has seen
/// more than it holds is told nothing that is only presumed.
http::Response tell_decision(const Service& service, const http::Request& request);
/// GET /v1/log: the identity, `state` (see LogState), `detail`, who was not heard or listed yet.
http::Response show_log(const Service& service);
/// POST /v1/log/accept {reason, leave_out?: [participant]}: see Service::accept().
void accept_log(Service& service, const http::Request& request, http::Respond respond);
/// GET /v1/lost?after=&limit=: {items: [{gid, business_code, business_id, proven, branches}], next,
/// listless, unlisted}
http::Response list_lost(const Service& service, const http::Request& request);
/// POST /v1/lost/settle {reason}: settles all that are proven: {settled, left}.
void settle_proven(Service& service, const http::Request& request, http::Respond respond);
/// POST /v1/participants/{participant}/accept-store {reason}
void accept_store(Service& service, const http::Request& request, http::Respond respond);
/// Why a submission under a lost key is refused: 409, with the gid and its branches.
http::Response refused_lost_key(const Service& service, const Gid& gid);

}  // namespace twophase::coordinator
