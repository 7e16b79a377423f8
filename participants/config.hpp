// A participant's settings.
#pragma once

#include "http/endpoint.hpp"
#include "recovery/alert_settings.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace twophase::http {
struct Setting;
}

namespace twophase::participants {

/// A participant's name, as settings give it: 1 to 64 of A-Za-z0-9_-.
bool is_participant_name(const std::string& text);

/// Documented, with units, in settings_of(); the defaults here are those of both programs.
struct Config {
    std::filesystem::path data;
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;
    std::filesystem::path address_file;  // empty: none
    std::string name;
    std::map<std::string, http::Endpoint> coordinators;   // by id
    std::map<std::string, std::string> coordinator_logs;  // those pinned, by id
    std::chrono::milliseconds inquire_after{5'000};
    std::chrono::milliseconds retention = std::chrono::hours(8 * 24);
    std::chrono::milliseconds reconcile_interval = std::chrono::hours(1);
    std::int64_t correct_below = 100;
    std::filesystem::path backups;  // empty: none are made while it runs
    std::size_t map_bytes = std::size_t{16} << 30;
    std::size_t max_in_flight = 10'000;
    std::size_t max_connections = 10'000;
    std::size_t max_body_bytes = std::size_t{1} << 20;
    std::size_t max_batch_bytes = std::size_t{4} << 20;
    std::size_t max_batch_items = 256;
    std::vector<std::string> allowed_hosts;
    recovery::AlertOptions alerts;
    std::string log_level = "info";
    bool insecure = false;
    bool any_filesystem = false;
};

/// The defaults of the participant `name`: its data below data/, the coordinator "main" next door.
Config default_config(const std::string& name, std::uint16_t port);

/// The table of settings, filling `config`, whose values now are the defaults.
std::vector<http::Setting> settings_of(Config& config);

/// What can't be seen from one setting alone; empty when all is well.
std::string check(const Config& config);

}  // namespace twophase::participants
