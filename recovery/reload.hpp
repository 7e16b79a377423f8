// What SIGHUP reloads.
#pragma once

#include "http/settings.hpp"

#include <functional>
#include <string>

namespace twophase::recovery {

/// Reopens the log (LogOutput::reopen) and reads the settings again: `read` fills the values from
/// the same file, environment and flags as at the start and returns what is wrong with them. The
/// log level is taken over. Other settings that differ from those `at_start` wait for a restart,
/// and the log names them. Where anything is wrong nothing is taken over and the log says why.
void reload(const http::Values& at_start, const std::function<std::string(http::Values&)>& read);

}  // namespace twophase::recovery
