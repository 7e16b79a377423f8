#include "participants/config.hpp"

#include "http/settings.hpp"
#include "participants/coupon/coupon.hpp"
#include "participants/credit/credit.hpp"
#include "tests/participants/bench.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace twophase::participants {
namespace {

std::string contents(const std::filesystem::path& file) {
    std::ifstream stream(file);
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

const std::filesystem::path source = PARTICIPANTS_SOURCE;

TEST(SampleFileTest, IsWhatTheProgramPrints) {
    Config credit = credit::defaults();
    Config coupon = coupon::defaults();
    EXPECT_EQ(contents(source / "credit/credit.sample.json"),
              http::sample_file(settings_of(credit)));
    EXPECT_EQ(contents(source / "coupon/coupon.sample.json"),
              http::sample_file(settings_of(coupon)));
}

TEST(SampleFileTest, IsTakenAndGivesTheDefaults) {
    Config config = credit::defaults();
    config.port = 1;
    config.retention = std::chrono::seconds(1);
    config.coordinators.clear();
    const std::string file = source / "credit/credit.sample.json";
    const char* argv[] = {"credit-participant", "--config", file.c_str()};
    EXPECT_EQ(http::load_settings(settings_of(config),
                                  {.argc = 3, .argv = argv, .program = "", .about = ""}),
              std::nullopt);
    EXPECT_EQ(config.port, 7071);
    EXPECT_EQ(config.retention, std::chrono::hours(8 * 24));
    EXPECT_EQ(config.coordinators.at("main").text(), "http://127.0.0.1:7070");
}

TEST(ConfigTest, RefusesWhatCanNotBe) {
    const auto refusal = [](const std::string& name, const http::Json& value) {
        Config config = credit::defaults();
        for (const http::Setting& setting : settings_of(config))
            if (setting.name == name) return setting.take(value);
        return std::string("no such setting");
    };
    EXPECT_NE(refusal("coordinators", {{"main", "ftp://x"}}), "");
    EXPECT_NE(refusal("coordinators", {{"a/b", "http://127.0.0.1:1"}}), "");
    EXPECT_NE(refusal("coordinators", "http://127.0.0.1:1"), "");
    EXPECT_EQ(refusal("coordinators", {{"main", "file:/tmp/x.address"}}), "");
    EXPECT_NE(refusal("id", "a b"), "");
    EXPECT_NE(refusal("log_level", "loud"), "");
    EXPECT_NE(refusal("port", 70'000), "");
    EXPECT_NE(refusal("alert_webhook", "mailto:us"), "");
    EXPECT_EQ(refusal("alert_language", "zh"), "");
}

TEST(ConfigTest, AnotherAddressNeedsToBeInsecure) {
    Config config = credit::defaults();
    EXPECT_EQ(check(config), "");
    config.address = "0.0.0.0";
    EXPECT_NE(check(config), "");
    config.insecure = true;
    EXPECT_EQ(check(config), "");
}

}  // namespace
}  // namespace twophase::participants
