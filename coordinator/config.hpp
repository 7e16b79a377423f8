// Everything that a coordinator can be told at its start.
#pragma once

#include "http/endpoint.hpp"
#include "http/settings.hpp"
#include "recovery/alert_settings.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace twophase::coordinator {

struct ParticipantConfig {
    http::Endpoint endpoint;
    bool takes_arrays = false;  // "batch": the participant answers arrays of messages
    std::size_t window = 0;     // requests in flight; 0: 4 with arrays, 64 without
};

using Participants = std::map<std::string, ParticipantConfig, std::less<>>;  // by name

/// What to do about a participant that transactions name and the settings don't.
std::string not_configured_text(const std::string& participant);

struct Config {
    std::filesystem::path data = "data/coordinator";
    std::string address = "127.0.0.1";
    std::uint16_t port = 7070;
    std::filesystem::path address_file;
    std::filesystem::path backups = "data/coordinator-backups";
    bool insecure = false;
    std::vector<std::string> allowed_hosts;

    std::string id = "main";
    std::uint16_t node = 1;
    Participants participants;

    std::chrono::milliseconds vote_timeout{5'000};
    std::chrono::milliseconds wait_limit{10'000};
    std::chrono::milliseconds call_timeout{5'000};
    std::chrono::milliseconds retry_first{1'000};
    std::chrono::milliseconds retry_most{60'000};
    std::chrono::milliseconds probe_most{5'000};
    std::chrono::milliseconds sweep_interval{30'000};
    std::chrono::milliseconds shutdown_grace{10'000};
    std::size_t max_live = 200'000;
    std::size_t max_live_bytes = std::size_t{1} << 30;
    std::size_t max_connections = 10'000;

    std::chrono::milliseconds retention = std::chrono::hours(7 * 24);
    std::size_t map_bytes = std::size_t{16} << 30;
    bool any_filesystem = false;

    recovery::AlertOptions alerts;
    std::chrono::milliseconds in_doubt_alert{300'000};  // the age of what is unfinished
    std::string log_level = "info";
};

/// 1 to 64 of A-Za-z0-9_-: names of participants, coordinators and branches.
bool is_name(const std::string& text);

/// Every setting, bound to `config`, which must outlive the table.
std::vector<http::Setting> settings(Config& config);

/// What settings say together and none alone: empty, or a sentence on what to change.
std::string check(const Config& config);

}  // namespace twophase::coordinator
