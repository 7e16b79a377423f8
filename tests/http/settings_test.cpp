#include "http/settings.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace twophase::http {
namespace {

class SettingsTest : public testing::Test {
protected:
    SettingsTest() {
        std::string pattern = (std::filesystem::temp_directory_path() / "settings.XXXXXX").string();
        directory_ = ::mkdtemp(pattern.data());
    }
    ~SettingsTest() override {
        std::filesystem::remove_all(directory_);
        for (const std::string& name : variables_) ::unsetenv(name.c_str());
    }

    std::vector<Setting> settings() {
        return {
            {"address", "", "127.0.0.1", "Where to listen", take_text(address_)},
            {"port", "", 7070, "The port", take_integer(port_, 0, 65'535)},
            {"vote_timeout",
             "ms",
             5000,
             "How long votes may take",
             take_milliseconds(vote_timeout_, 1, 600'000)},
            {"insecure", "", false, "Allow other addresses", take_boolean(insecure_)},
            {"verify", "", true, "Verify\nin two lines", take_boolean(verify_)},
            {"data", "", "data", "The store", take_path(data_)},
            {"participants",
             "",
             Json::object(),
             "Participants by name",
             [this](const Json& value) -> std::string {
                 if (!value.is_object()) return "expected an object";
                 participants_ = value;
                 return {};
             }},
            {"hosts",
             "",
             Json::array(),
             "More host names",
             [this](const Json& value) -> std::string {
                 if (!value.is_array()) return "expected an array";
                 hosts_ = value;
                 return {};
             }},
            {"token", "", nullptr, "No default", take_text(token_), {"secret"}},
        };
    }

    std::string file(const std::string& text) {
        const auto path = directory_ / "service.json";
        std::ofstream(path) << text;
        return path.string();
    }

    void set(const std::string& name, const std::string& value) {
        ::setenv(name.c_str(), value.c_str(), 1);
        variables_.push_back(name);
    }

    std::optional<int> load(std::vector<const char*> flags = {}) {
        flags.insert(flags.begin(), "service");
        testing::internal::CaptureStderr();
        testing::internal::CaptureStdout();
        const CommandLine line{.argc = static_cast<int>(flags.size()),
                               .argv = flags.data(),
                               .program = "service",
                               .about = "Serves.",
                               .settings_of_others = {"stock_limit"}};
        const auto code = load_settings(settings(), line);
        said_ = testing::internal::GetCapturedStderr();
        printed_ = testing::internal::GetCapturedStdout();
        return code;
    }

    // Refused with exit code 2 and a message with all of `parts`.
    void expect_refused(const std::vector<const char*>& flags,
                        const std::vector<std::string>& parts) {
        EXPECT_EQ(load(flags), 2);
        for (const std::string& part : parts)
            EXPECT_NE(said_.find(part), std::string::npos) << said_;
    }

    std::filesystem::path directory_;
    std::vector<std::string> variables_;
    std::string said_;
    std::string printed_;

    std::string address_;
    std::uint16_t port_ = 1;
    std::chrono::microseconds vote_timeout_{0};
    bool insecure_ = true;
    bool verify_ = false;
    std::filesystem::path data_;
    Json participants_;
    Json hosts_;
    std::string token_ = "as it was";
};

TEST_F(SettingsTest, FallbacksFillEverything) {
    EXPECT_EQ(load(), std::nullopt);
    EXPECT_EQ(address_, "127.0.0.1");
    EXPECT_EQ(port_, 7070);
    EXPECT_EQ(vote_timeout_, std::chrono::seconds(5));
    EXPECT_FALSE(insecure_);
    EXPECT_TRUE(verify_);
    EXPECT_EQ(data_, "data");
    EXPECT_EQ(token_, "as it was");
}

TEST_F(SettingsTest, EachSourceGoesOverTheOneBefore) {
    const std::string config = file(R"({"port": 1000, "address": "10.0.0.1", "vote_timeout": 7})");
    EXPECT_EQ(load({"--config", config.c_str()}), std::nullopt);
    EXPECT_EQ(port_, 1000);
    set("TWOPHASE_PORT", "2000");
    set("TWOPHASE_ADDRESS", "10.0.0.2");
    EXPECT_EQ(load({"--config", config.c_str()}), std::nullopt);
    EXPECT_EQ(port_, 2000);
    EXPECT_EQ(load({"--config", config.c_str(), "--port", "3000"}), std::nullopt);
    EXPECT_EQ(port_, 3000);
    EXPECT_EQ(address_, "10.0.0.2");
    EXPECT_EQ(vote_timeout_, std::chrono::milliseconds(7));
}

TEST_F(SettingsTest, FlagsReadEveryKind) {
    EXPECT_EQ(load({"--insecure",
                    "--verify=false",
                    "--vote-timeout=10",
                    "--data",
                    "/tmp/x",
                    "--participants",
                    R"({"credit":{"url":"http://a:1"}})",
                    "--hosts",
                    R"(["a","b"])",
                    "--token",
                    "123"}),
              std::nullopt);
    EXPECT_TRUE(insecure_);
    EXPECT_FALSE(verify_);
    EXPECT_EQ(vote_timeout_, std::chrono::milliseconds(10));
    EXPECT_EQ(participants_["credit"]["url"], "http://a:1");
    EXPECT_EQ(hosts_, Json::array({"a", "b"}));
}

TEST_F(SettingsTest, VariablesReadEveryKind) {
    set("TWOPHASE_INSECURE", "true");
    set("TWOPHASE_HOSTS", R"(["a,b"])");
    set("TWOPHASE_TOKEN", "se cret");
    EXPECT_EQ(load(), std::nullopt);
    EXPECT_TRUE(insecure_);
    EXPECT_EQ(hosts_, Json::array({"a,b"}));
    EXPECT_EQ(token_, "se cret");
}

TEST_F(SettingsTest, UnknownNamesAreRefusedWithASuggestion) {
    const std::string config = file(R"({"prot": 1})");
    expect_refused({"--config", config.c_str()}, {config, "member prot", "did you mean port?"});
    expect_refused({"--vote-timout", "5"}, {"--vote-timout", "did you mean --vote-timeout?"});
    expect_refused({"--port=1", "extra"}, {"extra"});
    set("TWOPHASE_PROT", "1");
    expect_refused({}, {"TWOPHASE_PROT", "did you mean TWOPHASE_PORT?"});
}

TEST_F(SettingsTest, VariablesOfTheFaultTestsAreLetThrough) {
    set("TWOPHASE_CRASH_AT", "C5");
    set("TWOPHASE_TEST_CLOCK", "1");
    set("TWOPHASE_COORDINATOR", "http://127.0.0.1:7070");
    set("TWOPHASE_PARTICIPANT", "http://127.0.0.1:7071");
    EXPECT_EQ(load(), std::nullopt);
}

TEST_F(SettingsTest, VariablesThatKubernetesAndDockerMakeAreNoSettings) {
    for (const auto& [name, value] : std::vector<std::pair<const char*, const char*>>{
             {"TWOPHASE_PORT", "tcp://10.96.0.1:7070"},
             {"TWOPHASE_PORT_7070_TCP", "tcp://10.96.0.1:7070"},
             {"TWOPHASE_PORT_7070_TCP_PROTO", "tcp"},
             {"TWOPHASE_PORT_7070_TCP_PORT", "7070"},
             {"TWOPHASE_PORT_7070_TCP_ADDR", "10.96.0.1"},
             {"TWOPHASE_SERVICE_HOST", "10.96.0.1"},
             {"TWOPHASE_SERVICE_PORT", "7070"},
             {"TWOPHASE_SERVICE_PORT_HTTP", "7070"},
             {"TWOPHASE_CREDIT_2_SERVICE_HOST", "fd00::1"},
             {"TWOPHASE_CREDIT_PORT", "udp://10.96.0.1:53"},
             {"TWOPHASE_CREDIT_PORT_53_UDP", "udp://10.96.0.1:53"},
             {"TWOPHASE_NAME", "/service/twophase"},
             {"TWOPHASE_ENV_LANG", "C"}})
        set(name, value);
    EXPECT_EQ(load(), std::nullopt) << said_;
    EXPECT_EQ(port_, 7070) << "the default, not another service's";
}

TEST_F(SettingsTest, ATypoThatLooksLikeAServicesVariableIsRefused) {
    for (const auto& [name, value] : std::vector<std::pair<const char*, const char*>>{
             {"TWOPHASE_PORT", "tcp:7070"},
             {"TWOPHASE_PORTS", "tcp://10.96.0.1:7070"},
             {"TWOPHASE_HTTP_PORT", "7070"},
             {"TWOPHASE_PORT_X_TCP", "7070"},
             {"TWOPHASE_SERVICE", "10.96.0.1"}}) {
        set(name, value);
        expect_refused({}, {name});
        ::unsetenv(name);
    }
}

TEST_F(SettingsTest, ASettingOfAnotherProgramIsLetThroughFromTheEnvironmentAlone) {
    set("TWOPHASE_STOCK_LIMIT", "anything");
    EXPECT_EQ(load(), std::nullopt) << said_;
    expect_refused({"--stock-limit", "1"}, {"--stock-limit"});
    set("TWOPHASE_STOCK_LIMITS", "1");
    expect_refused({}, {"TWOPHASE_STOCK_LIMITS", "did you mean TWOPHASE_STOCK_LIMIT?"});
}

TEST_F(SettingsTest, AnOldNameIsRefusedAndTheNewOneIsNamed) {
    const std::string config = file(R"({"secret": "x"})");
    expect_refused({"--config", config.c_str()}, {"member secret", "did you mean token?"});
    expect_refused({"--secret", "x"}, {"--secret", "did you mean --token?"});
    set("TWOPHASE_SECRET", "x");
    expect_refused({}, {"TWOPHASE_SECRET", "did you mean TWOPHASE_TOKEN?"});
}

TEST_F(SettingsTest, AFlagAndAVariableTakeAsManyMembersAsAFile) {
    Json many = Json::object();
    for (int n = 0; n < 2'000; ++n) many["p" + std::to_string(n)] = n;
    const std::string text = many.dump();
    EXPECT_EQ(load({"--participants", text.c_str()}), std::nullopt) << said_;
    EXPECT_EQ(participants_.size(), 2'000U);
    const std::string config = file(R"({"participants": )" + text + "}");
    EXPECT_EQ(load({"--config", config.c_str()}), std::nullopt) << said_;
    EXPECT_EQ(participants_.size(), 2'000U);
    set("TWOPHASE_PARTICIPANTS", text);
    EXPECT_EQ(load(), std::nullopt) << said_;
    EXPECT_EQ(participants_.size(), 2'000U);
}

TEST_F(SettingsTest, WrongValuesNameTheirSource) {
    const std::string config = file(R"({"port": 65536})");
    expect_refused({"--config", config.c_str()}, {config, "member port", "0 to 65535", "65536"});
    expect_refused({"--port", "abc"}, {"--port", "abc"});
    expect_refused({"--port", "1.0"}, {"--port", "integer"});
    expect_refused({"--port=-1"}, {"--port", "0 to 65535"});
    expect_refused({"--insecure=maybe"}, {"--insecure", "maybe"});
    expect_refused({"--hosts", "{}"}, {"--hosts", "array"});
    expect_refused({"--port", "1", "--port", "2"}, {"--port"});
    expect_refused({"--port"}, {"--port"});
    set("TWOPHASE_VOTE_TIMEOUT", "0");
    expect_refused({}, {"TWOPHASE_VOTE_TIMEOUT", "1 to 600000"});
}

TEST_F(SettingsTest, UnusableFilesAreRefused) {
    expect_refused({"--config", "/no/such/file"}, {"/no/such/file"});
    expect_refused({"--config", directory_.c_str()}, {"cannot be read"});
    std::string config = file(R"({"port": 1, "port": 2})");
    expect_refused({"--config", config.c_str()}, {config, "port", "once"});
    config = file("[]");
    expect_refused({"--config", config.c_str()}, {"object"});
    config = file(R"({"port": null})");
    expect_refused({"--config", config.c_str()}, {"member port"});
}

TEST_F(SettingsTest, HelpVersionAndSampleEndAtOnce) {
    EXPECT_EQ(load({"--help"}), 0);
    for (const char* part : {"--vote-timeout", "How long votes may take [ms] (default 5000)"}) {
        EXPECT_NE(printed_.find(part), std::string::npos) << printed_;
    }
    EXPECT_EQ(load({"--version"}), 0);
    EXPECT_EQ(printed_, "service 0.1.0\n");
    for (const std::vector<const char*>& flags : {std::vector<const char*>{"--print-sample-config"},
                                                  {"--print-sample-config", "--port", "1"},
                                                  {"--port=1", "--print-sample-config"},
                                                  {"--config", "/none", "--sample-config"}}) {
        EXPECT_EQ(load(flags), 0) << said_;
        EXPECT_EQ(printed_, sample_file(settings()));
    }
}

TEST_F(SettingsTest, TheSampleHoldsEveryDefaultAndCanBeLoaded) {
    const std::string sample = sample_file(settings());
    const auto parsed = parse_json(sample, {.comments = true});
    ASSERT_TRUE(parsed) << sample;
    for (const Setting& setting : settings()) {
        EXPECT_EQ(parsed->at(setting.name), setting.fallback) << setting.name;
        EXPECT_NE(sample.find(setting.meaning.substr(0, 6)), std::string::npos);
    }
    EXPECT_EQ(parsed->size(), settings().size());
    const std::string config = file(sample);
    EXPECT_EQ(load({"--config", config.c_str()}), std::nullopt) << said_;
}

TEST_F(SettingsTest, AreReadAgainFromTheSameSourcesAndNotedByName) {
    const std::string config = file(R"({"port": 1, "hosts": ["a"]})");
    const std::vector<const char*> words{"service", "--config", config.c_str(), "--port", "2"};
    const CommandLine line{.argc = static_cast<int>(words.size()), .argv = words.data()};
    Values before;
    EXPECT_EQ(load_settings_again(noted(settings(), before), line), "");
    file(R"({"port": 3, "hosts": ["b"], "vote_timeout": 7})");
    Values now;
    EXPECT_EQ(load_settings_again(noted(settings(), now), line), "");
    EXPECT_EQ(now.at("port"), before.at("port")) << "the flag is above the file";
    EXPECT_EQ(now.at("hosts"), Json::array({"b"}));
    EXPECT_EQ(now.at("vote_timeout"), 7);
    EXPECT_EQ(now.at("address"), "127.0.0.1") << "as it was not said";
    EXPECT_EQ(vote_timeout_, std::chrono::milliseconds(7));
    file(R"({"vote_timeuot": 7})");
    EXPECT_NE(load_settings_again(settings(), line).find("did you mean vote_timeout"),
              std::string::npos);
}

TEST_F(SettingsTest, AFileThatWasAPipeIsNotWaitedForAgain) {
    const std::string pipe = (directory_ / "pipe").string();
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    const std::vector<const char*> words{"service", "--config", pipe.c_str()};
    const CommandLine line{.argc = static_cast<int>(words.size()), .argv = words.data()};
    EXPECT_NE(load_settings_again(settings(), line).find("no file that can be read again"),
              std::string::npos);
}

}  // namespace
}  // namespace twophase::http
