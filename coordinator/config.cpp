#include "coordinator/config.hpp"

#include "http/fields.hpp"
#include "recovery/common_settings.hpp"

#include <boost/asio/ip/address.hpp>

#include <utility>

namespace twophase::coordinator {
namespace {

using http::Json;

constexpr std::int64_t hour = 3'600'000;  // in milliseconds

std::string take_participant(const std::string& name, const Json& json, ParticipantConfig& taken) {
    if (!is_name(name)) return "'" + name + "' is no name (letters, digits, _ and -, at most 64)";
    const http::Document document = http::document_of(json);
    http::Fields fields(document.root(), name);
    const std::string url = fields.text("endpoint", {.max_bytes = 1024});
    taken.takes_arrays = fields.optional_boolean("batch").value_or(false);
    taken.window = static_cast<std::size_t>(fields.optional_integer("window", 1, 1024).value_or(0));
    if (const auto& error = fields.finish()) return error->field + ": " + error->expected;
    auto endpoint = http::Endpoint::parse(url);
    if (!endpoint) return name + ".endpoint: '" + url + "' is no base URL (http://host:port/path)";
    taken.endpoint = *endpoint;
    return {};
}

std::string take_participants(const Json& json, Participants& taken) {
    if (!json.is_object()) return "expected an object of participants by name";
    Participants participants;
    for (const auto& [name, value] : json.items()) {
        if (std::string why = take_participant(name, value, participants[name]); !why.empty())
            return why;
    }
    taken = std::move(participants);
    return {};
}

std::string take_hosts(const Json& json, std::vector<std::string>& taken) {
    if (!json.is_array()) return "expected an array of host names";
    std::vector<std::string> hosts;
    for (const Json& host : json) {
        if (!host.is_string()) return "expected an array of host names";
        hosts.push_back(host.get<std::string>());
    }
    taken = std::move(hosts);
    return {};
}

Json default_participants() {
    return {{"credit", {{"endpoint", "http://127.0.0.1:7071/v1/branches"}, {"batch", true}}},
            {"coupon", {{"endpoint", "http://127.0.0.1:7072/v1/branches"}, {"batch", true}}}};
}

void add_places(std::vector<http::Setting>& all, Config& c) {
    all.push_back({"data",
                   "directory",
                   "data/coordinator",
                   "Where the log is kept. One coordinator at a time.",
                   http::take_path(c.data)});
    all.push_back({"backups",
                   "directory",
                   "data/coordinator-backups",
                   "Where POST /v1/backups puts its copies.",
                   http::take_path(c.backups)});
    all.push_back(
        {"address",
         "IP address",
         "127.0.0.1",
         "Where to listen. Other than loopback needs insecure, as there is no access control yet.",
         http::take_text(c.address)});
    all.push_back({"port",
                   "",
                   7070,
                   "TCP port; 0 lets the kernel choose.",
                   http::take_integer(c.port, 0, 65535)});
    all.push_back({"address_file",
                   "file",
                   "",
                   "Where to write host:port once listening; empty for nowhere. For ports that the "
                   "kernel chose.",
                   http::take_path(c.address_file)});
    all.push_back({"insecure",
                   "",
                   false,
                   "Permits an address other than loopback.",
                   http::take_boolean(c.insecure)});
    all.push_back({"allowed_hosts",
                   "",
                   Json::array(),
                   "Host names that requests may carry, beside loopback names and address.",
                   [&c](const Json& json) { return take_hosts(json, c.allowed_hosts); }});
    all.push_back({"id",
                   "",
                   "main",
                   "This coordinator's name; the log and the participants remember it.",
                   http::take_text(c.id)});
    all.push_back({"node",
                   "",
                   1,
                   "The number in the last 16 bits of every gid; one for each coordinator.",
                   http::take_integer(c.node, 0, 65535)});
    all.push_back(
        {"participants",
         "",
         default_participants(),
         "By name: endpoint (base URL of the contract, or file:/path#/base for an address file), "
         "batch (takes arrays of messages), window (requests in flight).",
         [&c](const Json& json) { return take_participants(json, c.participants); }});
}

void add_times(std::vector<http::Setting>& all, Config& c) {
    all.push_back({"vote_timeout_ms",
                   "ms",
                   5000,
                   "How long votes may take where a request gives no timeout_ms.",
                   http::take_milliseconds(c.vote_timeout, 1, hour)});
    all.push_back({"wait_limit_ms",
                   "ms",
                   10000,
                   "How long a client waits for an outcome before a 202.",
                   http::take_milliseconds(c.wait_limit, 0, hour)});
    all.push_back({"call_timeout_ms",
                   "ms",
                   5000,
                   "How long one call to a participant may take.",
                   http::take_milliseconds(c.call_timeout, 10, hour)});
    all.push_back({"retry_initial_ms",
                   "ms",
                   1000,
                   "The backoff's first step; full jitter below it.",
                   http::take_milliseconds(c.retry_first, 1, hour),
                   {"retry_first_ms"}});  // old name
    all.push_back({"retry_max_ms",
                   "ms",
                   60000,
                   "The backoff's last step.",
                   http::take_milliseconds(c.retry_most, 1, hour),
                   {"retry_most_ms"}});  // old name
    all.push_back({"probe_interval_max_ms",
                   "ms",
                   5000,
                   "The longest time between two probes of a participant that fails.",
                   http::take_milliseconds(c.probe_most, 1, hour),
                   {"probe_most_ms"}});  // old name
    all.push_back({"sweep_interval_ms",
                   "ms",
                   30000,
                   "How often participants are asked what they hold in doubt.",
                   http::take_milliseconds(c.sweep_interval, 10, hour)});
    all.push_back({"in_doubt_alert_ms",
                   "ms",
                   300000,
                   "How long a transaction may be unfinished before a person is told; deliveries "
                   "that are planned for later don't count.",
                   http::take_milliseconds(c.in_doubt_alert, 1, 24 * hour)});
    all.push_back({"shutdown_grace_ms",
                   "ms",
                   10000,
                   "How long requests may run on after a SIGTERM.",
                   http::take_milliseconds(c.shutdown_grace, 0, hour)});
}

void add_limits(std::vector<http::Setting>& all, Config& c) {
    all.push_back({"max_live",
                   "transactions",
                   200000,
                   "Unfinished transactions above which submissions get a 503.",
                   http::take_integer(c.max_live, 1, 10'000'000)});
    all.push_back({"max_live_bytes",
                   "bytes",
                   std::uint64_t{1} << 30,
                   "What unfinished transactions may take in memory, about; likewise.",
                   http::take_integer(c.max_live_bytes, 1 << 20, std::int64_t{1} << 40)});
    all.push_back({"max_connections",
                   "connections",
                   10000,
                   "Clients connected at once.",
                   http::take_integer(c.max_connections, 1, 1'000'000)});
    all.push_back({"retention_ms",
                   "ms",
                   7 * 24 * hour,
                   "How long a finished transaction answers repeats of its business key, counted "
                   "while the program runs.",
                   http::take_milliseconds(c.retention, hour, 1'000'000 * hour),
                   {"retention_hours", "retention_seconds"}});
    all.push_back({"store_max_bytes",
                   "bytes",
                   std::uint64_t{16} << 30,
                   "The log's largest size; submissions are refused from 80 % of it.",
                   http::take_integer(c.map_bytes, 1 << 20, std::int64_t{1} << 46),
                   {"map_bytes"}});  // old name
    all.push_back({"any_filesystem",
                   "",
                   false,
                   "Permits tmpfs and network file systems; for tests.",
                   http::take_boolean(c.any_filesystem)});
    all.push_back(recovery::log_level_setting(c.log_level));
}

}  // namespace

bool is_name(const std::string& text) {
    constexpr auto allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return !text.empty() && text.size() <= 64 &&
           text.find_first_not_of(allowed) == std::string::npos;
}

std::vector<http::Setting> settings(Config& config) {
    std::vector<http::Setting> all;
    add_places(all, config);
    add_times(all, config);
    for (http::Setting& setting : recovery::alert_settings(config.alerts))
        all.push_back(std::move(setting));
    add_limits(all, config);
    return all;
}

std::string check(const Config& config) {
    boost::system::error_code failed;
    const auto address = boost::asio::ip::make_address(config.address, failed);
    if (failed) return "address: '" + config.address + "' is no IP address";
    if (!address.is_loopback() && !config.insecure)
        return "address: " + config.address +
               " is reachable from elsewhere and there is no access control yet; "
               "use 127.0.0.1, or --insecure if that is meant";
    if (!is_name(config.id)) return "id: letters, digits, _ and -, at most 64";
    if (config.participants.empty()) return "participants: name at least one";
    if (config.retry_first > config.retry_most) return "retry_initial_ms is above retry_max_ms";
    return {};
}

std::string not_configured_text(const std::string& participant) {
    return "participant '" + participant +
           "' is no longer configured: put it back into the coordinator's settings under this "
           "name, or end its branches by hand (recoveryctl show)";
}

}  // namespace twophase::coordinator
