// One set of words for the settings of all programs, and one environment file for them.
#include "recovery/common_settings.hpp"

#include "coordinator/config.hpp"
#include "http/settings.hpp"
#include "participants/credit/credit.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace twophase::recovery {
namespace {

using Names = std::set<std::string>;

struct CommonSettings : ::testing::Test {
    coordinator::Config coordinator;
    participants::Config credit = participants::credit::defaults();
    std::vector<http::Setting> of_coordinator = coordinator::settings(coordinator);
    std::vector<http::Setting> of_credit = participants::settings_of(credit);

    static Names names(const std::vector<http::Setting>& settings) {
        Names all;
        for (const http::Setting& setting : settings) all.insert(setting.name);
        return all;
    }
    static std::optional<int> load(const std::vector<http::Setting>& settings,
                                   const std::vector<std::string>& others) {
        const char* argv[] = {"program"};
        return http::load_settings(settings,
                                   {.argc = 1,
                                    .argv = argv,
                                    .program = "program",
                                    .about = "",
                                    .settings_of_others = others});
    }
};

TEST_F(CommonSettings, TheListsOfNamesAreThoseOfTheSettings) {
    const auto& coordinators = coordinator_setting_names();
    const auto& participants = participant_setting_names();
    EXPECT_EQ(names(of_coordinator), Names(coordinators.begin(), coordinators.end()));
    EXPECT_EQ(names(of_credit), Names(participants.begin(), participants.end()));
}

TEST_F(CommonSettings, OneEnvironmentServesBothKindsOfProgram) {
    // What both have is set to a value that both take: the coordinator's default.
    std::map<std::string, std::string> environment;
    for (const std::vector<http::Setting>* settings : {&of_credit, &of_coordinator})
        for (const http::Setting& setting : *settings) {
            std::string variable = "TWOPHASE_" + setting.name;
            std::ranges::transform(variable, variable.begin(), ::toupper);
            const http::Json& value = setting.fallback;
            environment[variable] = value.is_string() ? value.get<std::string>() : value.dump();
        }
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    EXPECT_EQ(load(of_coordinator, participant_setting_names()), std::nullopt);
    EXPECT_EQ(load(of_credit, coordinator_setting_names()), std::nullopt);
    ::setenv("TWOPHASE_VOTE_TIMEOUT", "1", 1);
    EXPECT_EQ(load(of_credit, coordinator_setting_names()), 2) << "a typo ends the start";
    ::unsetenv("TWOPHASE_VOTE_TIMEOUT");
    for (const auto& [name, value] : environment) ::unsetenv(name.c_str());
}

TEST_F(CommonSettings, EveryDurationIsInMilliseconds) {
    for (const std::vector<http::Setting>* settings : {&of_credit, &of_coordinator})
        for (const http::Setting& setting : *settings) {
            EXPECT_FALSE(setting.name.ends_with("_s") || setting.name.ends_with("_seconds") ||
                         setting.name.ends_with("_hours"))
                << setting.name;
            EXPECT_EQ(setting.name.ends_with("_ms"), setting.unit == "ms") << setting.name;
        }
}

TEST_F(CommonSettings, AnOldNameIsRefusedWithTheNewOne) {
    const std::map<std::string, std::string> in_coordinator{
        {"retry_first_ms", "retry_initial_ms"},      // old name
        {"retry_most_ms", "retry_max_ms"},           // old name
        {"probe_most_ms", "probe_interval_max_ms"},  // old name
        {"map_bytes", "store_max_bytes"},            // old name
        {"retention_hours", "retention_ms"},
        {"alert_again_after_s", "alert_again_after_ms"}};
    const std::map<std::string, std::string> in_credit{
        {"name", "id"},
        {"map_bytes", "store_max_bytes"},  // old name
        {"retention_seconds", "retention_ms"},
        {"reconcile_every_s", "reconcile_interval_ms"},
        {"alert_again_after_s", "alert_again_after_ms"}};
    const auto expect = [](const std::vector<http::Setting>& settings, const auto& renamed) {
        for (const auto& [old, name] : renamed) {
            const auto found = std::ranges::find(settings, name, &http::Setting::name);
            ASSERT_NE(found, settings.end()) << name;
            EXPECT_NE(std::ranges::find(found->old_names, old), found->old_names.end()) << old;
            EXPECT_FALSE(names(settings).contains(old)) << old;
        }
    };
    expect(of_coordinator, in_coordinator);
    expect(of_credit, in_credit);
}

TEST_F(CommonSettings, EveryProgramTakesTheSameLogLevels) {
    for (const std::vector<http::Setting>* settings : {&of_credit, &of_coordinator}) {
        const auto level = std::ranges::find(*settings, "log_level", &http::Setting::name);
        ASSERT_NE(level, settings->end());
        for (const char* word : {"trace", "debug", "info", "warn", "warning", "error"})
            EXPECT_EQ(level->take(word), "") << word;
        for (const char* word : {"loud", "off", "INFO", ""}) EXPECT_NE(level->take(word), "");
    }
}

}  // namespace
}  // namespace twophase::recovery
