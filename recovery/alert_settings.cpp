#include "recovery/alert_settings.hpp"

#include "http/settings.hpp"

#include <cstdint>
#include <utility>

namespace twophase::recovery {
namespace {

using http::Json;

std::string take_webhook(AlertOptions& options, const Json& value) {
    if (!value.is_string()) return "expected a text";
    const auto& url = value.get_ref<const std::string&>();
    if (url.empty()) {
        options.webhook.reset();
        return "";
    }
    auto endpoint = http::Endpoint::parse(url);
    if (!endpoint) return "expected http://host:port/path, file:/path#/base, or nothing";
    options.webhook = std::move(*endpoint);
    return "";
}

std::string take_language(AlertOptions& options, const Json& value) {
    if (value != "en" && value != "zh") return "expected en or zh";
    options.language = value == "zh" ? Language::zh : Language::en;
    return "";
}

}  // namespace

std::vector<http::Setting> alert_settings(AlertOptions& options) {
    return {
        {"alert_webhook",
         "",
         options.webhook ? options.webhook->text() : "",
         "Where alerts are POSTed as CloudEvents, until a 2xx: http://host:port/path; empty: they "
         "are lines of the log only.",
         [&options](const Json& value) { return take_webhook(options, value); }},
        {"alert_language",
         "en|zh",
         options.language == Language::zh ? "zh" : "en",
         "Of the alerts' titles.",
         [&options](const Json& value) { return take_language(options, value); }},
        {"alert_again_after_ms",
         "ms",
         options.again_after.count(),
         "An alert of the same kind and subject is raised again only after this long; 0: always.",
         http::take_milliseconds(options.again_after, 0, 30LL * 24 * 3'600'000),
         {"alert_again_after_s"}},
    };
}

}  // namespace twophase::recovery
