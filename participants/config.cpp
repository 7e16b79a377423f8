#include "participants/config.hpp"

#include "http/settings.hpp"
#include "recovery/common_settings.hpp"
#include "wal/token.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace twophase::participants {
namespace {

using http::Json;
using http::Setting;

std::string take_coordinators(Config& config, const Json& value) {
    if (!value.is_object()) return "expected an object of base URLs by coordinator id";
    std::map<std::string, http::Endpoint> coordinators;
    for (const auto& [id, url] : value.items()) {
        if (!is_participant_name(id))
            return "\"" + id + "\" is no coordinator id: 1 to 64 of A-Za-z0-9_-";
        if (!url.is_string()) return "the URL of \"" + id + "\" is not a text";
        auto endpoint = http::Endpoint::parse(url.get_ref<const std::string&>());
        if (!endpoint) return "the URL of \"" + id + "\" is not http://host:port or file:...";
        coordinators.emplace(id, std::move(*endpoint));
    }
    config.coordinators = std::move(coordinators);
    return "";
}

std::string take_coordinator_logs(Config& config, const Json& value) {
    constexpr auto expected = "expected an object of log identities (32 hexadecimal digits) by id";
    if (!value.is_object()) return expected;
    std::map<std::string, std::string> logs;
    for (const auto& [id, log] : value.items()) {
        if (!is_participant_name(id) || !log.is_string() ||
            !wal::parse_token(log.get<std::string>()))
            return expected;
        logs.emplace(id, log.get<std::string>());
    }
    config.coordinator_logs = std::move(logs);
    return "";
}

std::string take_name(Config& config, const Json& value) {
    if (!value.is_string() || !is_participant_name(value.get_ref<const std::string&>()))
        return "expected 1 to 64 of A-Za-z0-9_-";
    config.name = value.get<std::string>();
    return "";
}

std::string take_hosts(Config& config, const Json& value) {
    const bool is_list =
        value.is_array() &&
        std::all_of(value.begin(), value.end(), [](auto& host) { return host.is_string(); });
    if (!is_list) return "expected an array of host names";
    config.allowed_hosts = value.get<std::vector<std::string>>();
    return "";
}

Json to_json(const std::map<std::string, http::Endpoint>& coordinators) {
    Json json = Json::object();
    for (const auto& [id, endpoint] : coordinators) json[id] = endpoint.text();
    return json;
}

std::vector<Setting> place_settings(Config& c) {
    constexpr std::int64_t day = 24LL * 3'600'000;  // in milliseconds
    return {
        {"data",
         "",
         c.data.string(),
         "the directory of the store; made when absent",
         http::take_path(c.data)},
        {"address",
         "",
         c.address,
         "the address to listen on; one other than loopback needs `insecure`",
         http::take_text(c.address)},
        {"port",
         "",
         c.port,
         "the port to listen on; 0: the kernel chooses",
         http::take_integer(c.port, 0, 65'535)},
        {"address_file",
         "",
         c.address_file.string(),
         "a file into which host:port is written once listening; empty: none",
         http::take_path(c.address_file)},
        {"id",
         "",
         c.name,
         "this participant's name in the coordinator's `participants`",
         [&c](const Json& value) { return take_name(c, value); },
         {"name"}},  // old name
        {"coordinators",
         "",
         to_json(c.coordinators),
         "base URLs by coordinator id, to ask about branches in doubt; one that is not here is "
         "refused at prepare",
         [&c](const Json& value) { return take_coordinators(c, value); }},
        {"coordinator_logs",
         "",
         Json::object(),
         "identities of logs by coordinator id (GET /v1/identity of a coordinator tells its own): "
         "such a coordinator is listened to with that log alone; empty: its URL is asked",
         [&c](const Json& value) { return take_coordinator_logs(c, value); }},
        {"inquire_after_ms",
         "ms",
         c.inquire_after.count(),
         "a branch in doubt for longer than this is asked about",
         http::take_milliseconds(c.inquire_after, 1, 3'600'000)},
        {"retention_ms",
         "ms",
         c.retention.count(),
         "ended branches are remembered for at least this long, counted while the program runs; "
         "keep it above the coordinator's",
         http::take_milliseconds(c.retention, 0, 3650 * day),
         {"retention_seconds", "retention_hours"}},
        {"backups",
         "",
         c.backups.string(),
         "where POST /v1/backups puts its copies; empty: none are made while it runs",
         http::take_path(c.backups)},
        {"reconcile_interval_ms",
         "ms",
         c.reconcile_interval.count(),
         "the books are held against each other and against the coordinators' logs this often; 0: "
         "only when asked",
         http::take_milliseconds(c.reconcile_interval, 0, 365 * day),
         {"reconcile_every_s"}},
        {"correct_below",
         "",
         c.correct_below,
         "a stored balance that differs from the sum of its entries by less than this is put right "
         "by a reconciliation; by this or more a person is told; 0: nothing is put right",
         http::take_integer(c.correct_below, 0, 1'000'000'000)},
    };
}

std::vector<Setting> limit_settings(Config& c) {
    constexpr std::int64_t gibibyte = std::int64_t{1} << 30;
    return {
        {"store_max_bytes",
         "bytes",
         c.map_bytes,
         "the most that the store may grow to; new work is refused from 80 % of it",
         http::take_integer(c.map_bytes, std::int64_t{1} << 20, 1024 * gibibyte),
         {"map_bytes"}},  // old name
        {"max_in_flight",
         "",
         c.max_in_flight,
         "requests that may wait for the store; more are answered 503",
         http::take_integer(c.max_in_flight, 1, 1'000'000)},
        {"max_connections",
         "",
         c.max_connections,
         "open connections; at this many the one that awaits longest is closed for a new one",
         http::take_integer(c.max_connections, 1, 1'000'000)},
        {"max_body_bytes",
         "bytes",
         c.max_body_bytes,
         "the longest body of a direct call",
         http::take_integer(c.max_body_bytes, 1'024, gibibyte)},
        {"max_batch_bytes",
         "bytes",
         c.max_batch_bytes,
         "the longest body of branch messages",
         http::take_integer(c.max_batch_bytes, 1'024, gibibyte)},
        {"max_batch_items",
         "",
         c.max_batch_items,
         "messages in one array",
         http::take_integer(c.max_batch_items, 1, 100'000)},
        {"allowed_hosts",
         "",
         c.allowed_hosts,
         "host names that requests may name beside loopback names and `address`",
         [&c](const Json& value) { return take_hosts(c, value); }},
        recovery::log_level_setting(c.log_level),
        {"insecure",
         "",
         c.insecure,
         "permits an address other than loopback although there is no access control yet",
         http::take_boolean(c.insecure)},
        {"any_filesystem",
         "",
         c.any_filesystem,
         "for tests: permits file systems that may lose data, such as tmpfs",
         http::take_boolean(c.any_filesystem)},
    };
}

bool is_loopback(const std::string& address) {
    return address == "localhost" || address == "::1" || address.starts_with("127.");
}

}  // namespace

bool is_participant_name(const std::string& text) {
    const auto fits = [](unsigned char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               c == '_' || c == '-';
    };
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, fits);
}

Config default_config(const std::string& name, std::uint16_t port) {
    Config config;
    config.data = std::filesystem::path("data") / name;
    config.backups = config.data.string() + "-backups";
    config.name = name;
    config.port = port;
    config.coordinators.emplace("main", http::Endpoint::parse("http://127.0.0.1:7070").value());
    return config;
}

std::vector<Setting> settings_of(Config& config) {
    std::vector<Setting> settings = place_settings(config);
    for (Setting& setting : recovery::alert_settings(config.alerts))
        settings.push_back(std::move(setting));
    for (Setting& setting : limit_settings(config)) settings.push_back(std::move(setting));
    return settings;
}

std::string check(const Config& config) {
    if (config.data.empty()) return "data: expected a directory";
    if (!is_loopback(config.address) && !config.insecure)
        return "address: " + config.address +
               " can be reached from elsewhere and there is no access control yet; set insecure "
               "to true to listen there all the same";
    return "";
}

}  // namespace twophase::participants
