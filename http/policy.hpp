// Which well-formed requests are let in: the Host they name, where they come from, what they carry.
#pragma once

#include "http/head.hpp"
#include "http/server.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace twophase::http {

/// Whether the request names us: a loopback name, the address that is listened on or that the
/// connection came in at, a configured name, or nobody (HTTP/1.0 without Host). Another site's name
/// that points here (DNS rebinding) doesn't; a page can't have the address for its name.
bool is_for_us(const RequestHead& head, const ServerOptions& options);

/// 421 for a Host that isn't ours, except to ask for /livez and /readyz, 403 for an Origin that
/// isn't this Host (a page of another site), 415 for a body that isn't plain JSON. nullopt: let in.
std::optional<Refusal> refuse(const RequestHead& head, const ServerOptions& options);

/// Whether a probe asks, which a balancer does under any Host: GET or HEAD of /livez or /readyz.
bool is_probe(const Request& request);

/// All of `answer` that a probe under another's Host is told: the status and one word.
Response one_word(const Response& answer);

/// The most bytes that a body for `path` may have.
std::size_t body_limit(const ServerOptions& options, std::string_view path);

}  // namespace twophase::http
