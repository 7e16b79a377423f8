#include "coordinator/config.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace twophase::coordinator {
namespace {

std::optional<int> load(Config& config, std::vector<const char*> flags) {
    flags.insert(flags.begin(), "coordinator");
    return http::load_settings(settings(config),
                               {.argc = static_cast<int>(flags.size()),
                                .argv = flags.data(),
                                .program = "coordinator",
                                .about = "for a test"});
}

TEST(ConfigTest, TheSampleFileDocumentsEverySettingWithItsDefault) {
    Config config;
    std::ifstream file(SAMPLE);
    const std::string sample{std::istreambuf_iterator<char>(file), {}};
    // After a change: coordinator --print-sample-config > coordinator/coordinator.sample.json
    EXPECT_EQ(sample, http::sample_file(settings(config)));
    const auto json = http::parse_json(sample, {.depth = 16, .members = 64, .comments = true});
    ASSERT_TRUE(json) << json.error().field << ": " << json.error().expected;
    for (const http::Setting& setting : settings(config)) {
        ASSERT_TRUE(json->contains(setting.name)) << setting.name;
        EXPECT_EQ((*json)[setting.name], setting.fallback) << setting.name;
    }
}

TEST(ConfigTest, TheSampleIsAcceptedAsAConfiguration) {
    Config config;
    EXPECT_FALSE(load(config, {"--config", SAMPLE}).has_value());
    EXPECT_EQ(check(config), "");
    EXPECT_EQ(config.participants.size(), 2U);
    EXPECT_TRUE(config.participants.at("credit").takes_arrays);
}

TEST(ConfigTest, TheDefaultsInTheTableAreThoseOfTheStruct) {
    const Config untouched;
    Config loaded;
    ASSERT_FALSE(load(loaded, {}).has_value());
    EXPECT_EQ(loaded.data, untouched.data);
    EXPECT_EQ(loaded.port, untouched.port);
    EXPECT_EQ(loaded.vote_timeout, untouched.vote_timeout);
    EXPECT_EQ(loaded.wait_limit, untouched.wait_limit);
    EXPECT_EQ(loaded.call_timeout, untouched.call_timeout);
    EXPECT_EQ(loaded.retry_most, untouched.retry_most);
    EXPECT_EQ(loaded.sweep_interval, untouched.sweep_interval);
    EXPECT_EQ(loaded.map_bytes, untouched.map_bytes);
    EXPECT_EQ(loaded.retention, untouched.retention);
    EXPECT_EQ(loaded.max_live, untouched.max_live);
    EXPECT_FALSE(loaded.alerts.webhook);
    EXPECT_EQ(loaded.alerts.again_after, untouched.alerts.again_after);
}

TEST(ConfigTest, WhatCannotBeMeantIsRefused) {
    for (const std::vector<const char*>& flags : std::vector<std::vector<const char*>>{
             {"--port", "70000"},
             {"--port", "x"},
             {"--prot", "7070"},
             {"--participants", R"({"credit":{"endpoint":"ftp://x"}})"},
             {"--participants", R"({"credit":{"endpoint":"http://x:1","colour":1}})"},
             {"--participants", R"({"a b":{"endpoint":"http://x:1"}})"},
             {"--participants", "[]"},
             {"--alert-webhook", "mailto:us"},
             {"--alert-language", "fr"},
             {"--vote-timeout-ms", "0"}}) {
        Config config;
        EXPECT_EQ(load(config, flags), 2) << flags[0] << " " << flags[1];
    }
}

TEST(ConfigTest, AnAddressThatOthersReachNeedsInsecure) {
    Config config;
    ASSERT_FALSE(load(config, {"--address", "0.0.0.0"}).has_value());
    EXPECT_NE(check(config).find("--insecure"), std::string::npos);
    config.insecure = true;
    EXPECT_EQ(check(config), "");
}

}  // namespace
}  // namespace twophase::coordinator
