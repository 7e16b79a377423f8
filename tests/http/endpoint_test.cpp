#include "http/endpoint.hpp"

#include "http/errc.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>

namespace twophase::http {
namespace {

class EndpointTest : public testing::Test {
protected:
    EndpointTest() {
        std::string pattern = (std::filesystem::temp_directory_path() / "endpoint.XXXXXX").string();
        directory_ = ::mkdtemp(pattern.data());
    }
    ~EndpointTest() override { std::filesystem::remove_all(directory_); }

    std::filesystem::path directory_;
};

TEST_F(EndpointTest, ReadsUrls) {
    const auto endpoint = Endpoint::parse("http://127.0.0.1:7071/v1/branches/");
    ASSERT_TRUE(endpoint);
    EXPECT_EQ(*endpoint->resolve(), (Address{"127.0.0.1", 7071, "/v1/branches"}));
    EXPECT_EQ(*Endpoint::parse("http://[::1]:1")->resolve(), (Address{"::1", 1, ""}));
    EXPECT_EQ(*Endpoint::parse("http://a.example/")->resolve(), (Address{"a.example", 80, ""}));
    EXPECT_EQ(endpoint->text(), "http://127.0.0.1:7071/v1/branches/");
}

TEST_F(EndpointTest, RefusesOtherUrls) {
    for (const char* bad : {"",
                            "127.0.0.1:80",
                            "https://a:1",
                            "ftp://a",
                            "http://",
                            "http://:80",
                            "http://user@a:1",
                            "http://user:pw@a:1",
                            "http://a:0",
                            "http://a:65536",
                            "http://a:x",
                            "http://a:",
                            "http://a:1?x=1",
                            "http://a:1/x?y",
                            "http://a:1/#x",
                            "http://[::1:1",
                            "http://::1:1",
                            "http://a b:1",
                            "http://a:1/x y",
                            "http://a:1\r\nX: 1",
                            "file:",
                            "file:#/x",
                            "file:/a#x",
                            "file:/a#/x?y"}) {
        const auto endpoint = Endpoint::parse(bad);
        ASSERT_FALSE(endpoint) << bad;
        EXPECT_EQ(endpoint.error(), Errc::bad_endpoint);
    }
}

TEST_F(EndpointTest, FollowsAFile) {
    const auto file = directory_ / "credit.address";
    const auto endpoint = Endpoint::parse("file:" + file.string() + "#/v1/branches");
    ASSERT_TRUE(endpoint);
    EXPECT_EQ(endpoint->resolve().error(), Errc::unreachable);
    write_address_file(file, "127.0.0.1", 4711);
    EXPECT_EQ(*endpoint->resolve(), (Address{"127.0.0.1", 4711, "/v1/branches"}));
    write_address_file(file, "::1", 4712);
    EXPECT_EQ(*endpoint->resolve(), (Address{"::1", 4712, "/v1/branches"}));
    EXPECT_EQ(endpoint->base_path(), "/v1/branches");
    const auto others_may_read = std::filesystem::perms::others_read;
    EXPECT_EQ(std::filesystem::status(file).permissions() & others_may_read, others_may_read);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
}

TEST_F(EndpointTest, AnIncompleteFileIsNoAddress) {
    const auto file = directory_ / "credit.address";
    const auto endpoint = Endpoint::parse("file:" + file.string());
    for (const char* text : {"", "127.0.0.1:47", "127.0.0.1\n", "127.0.0.1:x\n", ":1\n", "\n"}) {
        std::ofstream(file) << text;
        EXPECT_EQ(endpoint->resolve().error(), Errc::unreachable) << text;
    }
}

TEST_F(EndpointTest, APipeIsNoAddressAndIsNotWaitedFor) {
    const auto pipe = directory_ / "credit.address";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    const auto endpoint = Endpoint::parse("file:" + pipe.string());
    EXPECT_EQ(endpoint->resolve().error(), Errc::unreachable);
}

TEST_F(EndpointTest, WritingIntoNowhereThrows) {
    EXPECT_THROW(write_address_file(directory_ / "no" / "x", "a", 1),
                 std::filesystem::filesystem_error);
}

}  // namespace
}  // namespace twophase::http
