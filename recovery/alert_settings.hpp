// What a program is told about its alerts at its start; the same three settings in all programs.
#pragma once

#include "http/endpoint.hpp"
#include "recovery/backoff.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace twophase::http {
struct Setting;
}

namespace twophase::recovery {

enum class Language { en, zh };

struct AlertOptions {
    std::optional<http::Endpoint> webhook;  // none: log lines alone
    std::string source;                     // of the events: "/coordinators/main"
    Language language = Language::en;       // of the titles
    std::chrono::milliseconds again_after = std::chrono::hours(1);
    std::size_t most_waiting = 1'000;  // for the webhook, together with most_waiting_bytes
    std::size_t most_waiting_bytes = std::size_t{64} << 20;
    std::chrono::milliseconds timeout{10'000};  // of one POST
    BackoffOptions backoff;
};

/// `alert_webhook`, `alert_language` and `alert_again_after_ms`, bound to `options`, which must
/// outlive them and whose values now are the defaults.
std::vector<http::Setting> alert_settings(AlertOptions& options);

}  // namespace twophase::recovery
