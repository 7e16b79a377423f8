#include "recovery/common_settings.hpp"

#include "http/settings.hpp"

#include <algorithm>

namespace twophase::recovery {

const std::vector<std::string>& log_levels() {
    static const std::vector<std::string> levels{
        "trace", "debug", "info", "warning", "warn", "error"};
    return levels;
}

http::Setting log_level_setting(std::string& level) {
    return {"log_level",
            "trace|debug|info|warning|error",
            level,
            "What is logged to standard error: lines of this level and above.",
            [&level](const http::Json& value) -> std::string {
                const std::string word = value.is_string() ? value.get<std::string>() : "";
                if (std::ranges::find(log_levels(), word) == log_levels().end())
                    return "expected trace, debug, info, warning or error";
                level = word;
                return "";
            }};
}

// The tests hold these lists against the programs' settings.

const std::vector<std::string>& coordinator_setting_names() {
    static const std::vector<std::string> names{"data",
                                                "backups",
                                                "address",
                                                "port",
                                                "address_file",
                                                "insecure",
                                                "allowed_hosts",
                                                "id",
                                                "node",
                                                "participants",
                                                "vote_timeout_ms",
                                                "wait_limit_ms",
                                                "call_timeout_ms",
                                                "retry_initial_ms",
                                                "retry_max_ms",
                                                "probe_interval_max_ms",
                                                "sweep_interval_ms",
                                                "in_doubt_alert_ms",
                                                "shutdown_grace_ms",
                                                "alert_webhook",
                                                "alert_language",
                                                "alert_again_after_ms",
                                                "max_live",
                                                "max_live_bytes",
                                                "max_connections",
                                                "retention_ms",
                                                "store_max_bytes",
                                                "any_filesystem",
                                                "log_level"};
    return names;
}

const std::vector<std::string>& participant_setting_names() {
    static const std::vector<std::string> names{"data",
                                                "address",
                                                "port",
                                                "address_file",
                                                "id",
                                                "coordinators",
                                                "coordinator_logs",
                                                "inquire_after_ms",
                                                "retention_ms",
                                                "backups",
                                                "reconcile_interval_ms",
                                                "correct_below",
                                                "alert_webhook",
                                                "alert_language",
                                                "alert_again_after_ms",
                                                "store_max_bytes",
                                                "max_in_flight",
                                                "max_connections",
                                                "max_body_bytes",
                                                "max_batch_bytes",
                                                "max_batch_items",
                                                "allowed_hosts",
                                                "log_level",
                                                "insecure",
                                                "any_filesystem"};
    return names;
}

}  // namespace twophase::recovery
