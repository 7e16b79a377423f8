#include "recovery/alerts.hpp"

#include "http/instant.hpp"
#include "http/json.hpp"
#include "http/text.hpp"
#include "recovery/alert_titles.hpp"
#include "recovery/webhook.hpp"

#include <spdlog/spdlog.h>

#include <cstdio>
#include <string_view>

namespace twophase::recovery {
namespace {

using http::Json;

constexpr std::size_t most_remembered = 10'000;
constexpr std::size_t most_text_bytes = 4'096;

std::string hex(std::uint64_t number) {
    char text[20];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
    return text;
}

/// The alert's own members; a text that is no object is kept as one.
Json data_of(const Alert& alert) {
    if (alert.data.empty()) return Json::object();
    Json data = Json::parse(alert.data, nullptr, false);
    return data.is_object() ? data : Json{{"details", alert.data}};
}

}  // namespace

std::string time_text(std::int64_t microseconds) {
    const std::time_t seconds = microseconds / 1'000'000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    char fraction[16];
    std::snprintf(fraction, sizeof fraction, ".%06dZ", static_cast<int>(microseconds % 1'000'000));
    return std::string(text, length) + fraction;
}

Alerts::Alerts(Surroundings& around, AlertOptions options)
    : around_(around), options_(std::move(options)) {
    if (!options_.webhook) return;
    id_prefix_ = hex(around.random()) + "-";
    webhook_ = std::make_unique<Webhook>(around,
                                         WebhookOptions{.endpoint = *options_.webhook,
                                                        .most = options_.most_waiting,
                                                        .most_bytes = options_.most_waiting_bytes,
                                                        .timeout = options_.timeout,
                                                        .backoff = options_.backoff});
}

Alerts::~Alerts() = default;

void Alerts::raise(const Alert& alert) {
    const auto suppressed = admit(alert);
    if (!suppressed) return;
    ++raised_[alert.kind];
    spdlog::error("ALERT {} {}: {}: {}{}",
                  alert.kind,
                  http::for_log(alert.subject),
                  alert_title(alert.kind, options_.language),
                  http::for_log(alert.text),
                  *suppressed > 0 ? " (and " + std::to_string(*suppressed) + " before)" : "");
    if (webhook_) send(alert, *suppressed);
}

/// How many like it were suppressed since the last one was raised; nothing when this one is too.
std::optional<std::uint64_t> Alerts::admit(const Alert& alert) {
    if (options_.again_after.count() == 0 || alert.is_event) return 0;
    if (past_.size() >= most_remembered) forget_past();
    const auto [found, is_first] = past_.try_emplace({alert.kind, alert.subject});
    Past& past = found->second;
    if (!is_first && around_.now() - past.raised < options_.again_after) {
        ++past.suppressed;
        return std::nullopt;
    }
    past.raised = around_.now();
    return std::exchange(past.suppressed, 0);
}

/// Bounds the memory: what is forgotten is only raised again sooner.
void Alerts::forget_past() {
    std::erase_if(past_, [this](const auto& entry) {
        return around_.now() - entry.second.raised >= options_.again_after;
    });
    if (past_.size() > most_remembered / 2) past_.clear();
}

void Alerts::send(const Alert& alert, std::uint64_t suppressed) {
    if (webhook_->send(event(alert, suppressed))) {
        if (dropped_and_not_told_ > 0)
            spdlog::error("{} alerts found no place before the webhook",
                          std::exchange(dropped_and_not_told_, 0));
        return;
    }
    ++dropped_;
    if (++dropped_and_not_told_ == 1)
        spdlog::error("too many alerts wait for the webhook: new ones are lines of the log only");
}

std::string Alerts::event(const Alert& alert, std::uint64_t suppressed) {
    Json data = data_of(alert);
    data["title"] = alert_title(alert.kind, options_.language);
    data["text"] = http::cut(alert.text, most_text_bytes);
    if (suppressed > 0) data["suppressed"] = suppressed;
    if (dropped_and_not_told_ > 0) data["dropped"] = dropped_and_not_told_;
    Json event{{"specversion", "1.0"},
               {"id", id_prefix_ + std::to_string(++events_)},
               {"source", options_.source},
               {"type", "twophase.alert." + alert.kind},
               {"time", http::instant_text(around_.wall_microseconds())},
               {"datacontenttype", "application/json"},
               {"data", std::move(data)}};
    if (!alert.subject.empty()) event["subject"] = alert.subject;
    return http::dump_replacing(event);
}

std::uint64_t Alerts::raised(std::string_view kind) const {
    const auto found = raised_.find(kind);
    return found == raised_.end() ? 0 : found->second;
}

void Alerts::stop() {
    if (waiting() > 0) spdlog::warn("{} alerts did not reach the webhook", waiting());
    webhook_.reset();
}

std::size_t Alerts::waiting() const { return webhook_ ? webhook_->waiting() : 0; }

}  // namespace twophase::recovery
