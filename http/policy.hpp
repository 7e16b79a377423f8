// Which well-formed requests are let in: the Host they name, where they come from, what they carry.
#pragma once

#include "http/head.hpp"
#include "http/server.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace twophase::http {

/// 421 for a Host that isn't ours (another site's name that points here: DNS rebinding), 403 for
/// an Origin that isn't this Host (a page of another site), 415 for a body that isn't plain JSON.
/// nullopt: let in.
std::optional<Refusal> refuse(const RequestHead& head, const ServerOptions& options);

/// The most bytes that a body for `path` may have.
std::size_t body_limit(const ServerOptions& options, std::string_view path);

}  // namespace twophase::http
