// What all programs say in the same words at their start.
#pragma once

#include <string>
#include <vector>

namespace twophase::http {
struct Setting;
}

namespace twophase::recovery {

/// The levels that `--log-level` takes; "warn" is "warning".
const std::vector<std::string>& log_levels();

/// `log_level`, bound to `level`, which must outlive it and whose value now is the default. What it
/// takes, spdlog::level::from_str() knows.
http::Setting log_level_setting(std::string& level);

/// Names of the settings that the coordinator, or a participant, has: the other kind of program
/// lets their variables through, so that one environment file may serve all.
const std::vector<std::string>& coordinator_setting_names();
const std::vector<std::string>& participant_setting_names();

}  // namespace twophase::recovery
