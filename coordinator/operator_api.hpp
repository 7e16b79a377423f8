// What people on call do over HTTP: retry, resolve, look at participants, verify, export, back up.
#pragma once

#include "coordinator/service.hpp"
#include "http/message.hpp"

#include <boost/asio/io_context.hpp>

#include <optional>
#include <string>

namespace twophase::coordinator {

http::Response bad_gid();
http::Response unknown_gid(const Gid& gid);
/// Why a person's decision can't be carried out; `refusal` is not none.
http::Response refused(ResolveRefusal refusal, const Gid& gid);
/// A whole number from 1 to `most`.
std::optional<std::size_t> parse_limit(const std::string& text, std::size_t most);

/// Who makes a request, as what it does is written down: the X-Actor header and the address.
std::string who_asks(const http::Request& request);

/// Makes waiting retries due: {gid, hurried}.
http::Response retry(Service& service, const http::Request& request);
/// {branch_id?, how, reason}: answered once the person's decision is durable.
void resolve(Service& service, const http::Request& request, http::Respond respond);
/// {items: [{participant, endpoint, available, waiting, in_flight, last_error?}]}
http::Response list_participants(const Service& service);
/// The coordinator itself: id, node, epoch, live transactions, room in the log.
http::Response show_status(Service& service);
/// NDJSON: a transaction a line with its records, oldest first; header X-Next for `after`. Reads
/// snapshots alone: any thread.
http::Response export_page(const wal::Log& log, const http::Request& request);
/// Checks the whole log on a thread of its own: {transactions, findings}.
void verify_log(boost::asio::io_context& io, Service& service, const http::Respond& respond);

}  // namespace twophase::coordinator
