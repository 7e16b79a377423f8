#include "http/router.hpp"

#include "http/json.hpp"

#include <gtest/gtest.h>

#include <string>

namespace twophase::http {
namespace {

Handler says(std::string name) {
    return [name = std::move(name)](const Request& request, const Respond& respond) {
        Response response;
        response.body = name;
        for (const auto& [key, value] : request.path_parameters) {
            response.body += " " + key + "=" + value;
        }
        respond(response);
    };
}

class RouterTest : public testing::Test {
protected:
    RouterTest() {
        router_.add("GET", "/v1/transactions", says("list"));
        router_.add("POST", "/v1/transactions", says("submit"));
        router_.add("GET", "/v1/transactions/{gid}", says("show"));
        router_.add("GET", "/v1/transactions/unfinished", says("unfinished"));
        router_.add("POST", "/v1/transactions/{gid}/retry", says("retry"));
        router_.add("GET", "/v1/accounts/{user_id}/{credit_type}", says("account"));
        router_.add("GET", "/console/", says("console"));
    }

    Response ask(const std::string& method, const std::string& path) {
        Response response;
        Request request;
        request.method = method;
        request.path = path;
        router_(request, [&response](Response answer) { response = std::move(answer); });
        return response;
    }

    Router router_;
};

TEST_F(RouterTest, FindsByMethodAndPath) {
    EXPECT_EQ(ask("GET", "/v1/transactions").body, "list");
    EXPECT_EQ(ask("POST", "/v1/transactions").body, "submit");
    EXPECT_EQ(ask("GET", "/console/").body, "console");
}

TEST_F(RouterTest, FillsParameters) {
    EXPECT_EQ(ask("GET", "/v1/transactions/g1").body, "show gid=g1");
    EXPECT_EQ(ask("POST", "/v1/transactions/g1/retry").body, "retry gid=g1");
    EXPECT_EQ(ask("GET", "/v1/accounts/u/points").body, "account credit_type=points user_id=u");
}

TEST_F(RouterTest, NotesTheRouteThatFits) {
    const RouteName* noted = nullptr;
    const auto route_of = [&](const std::string& method, const std::string& path) {
        noted = nullptr;
        router_({.method = method, .path = path, .route = &noted}, [](const Response&) {});
        return noted == nullptr ? "none" : noted->method + " " + noted->pattern;
    };
    EXPECT_EQ(route_of("GET", "/v1/transactions/g1"), "GET /v1/transactions/{gid}");
    EXPECT_EQ(route_of("GET", "/v1/transactions/unfinished"), "GET /v1/transactions/unfinished");
    EXPECT_EQ(route_of("POST", "/v1/transactions"), "POST /v1/transactions");
    EXPECT_EQ(route_of("GET", "/v1/nowhere"), "none");
    EXPECT_EQ(route_of("DELETE", "/v1/transactions"), "none");
}

TEST_F(RouterTest, ALiteralWinsOverAParameter) {
    EXPECT_EQ(ask("GET", "/v1/transactions/unfinished").body, "unfinished");
}

TEST_F(RouterTest, UnknownPathsAre404) {
    for (const char* path : {"/",
                             "/v1",
                             "/v1/transactions/",
                             "/v1//transactions",
                             "/console",
                             "/v1/transactions/g1/retry/",
                             "/v1/accounts//points"}) {
        const Response response = ask("GET", path);
        EXPECT_EQ(response.status, 404U) << path;
        EXPECT_EQ(response.content_type, "application/problem+json");
    }
}

TEST_F(RouterTest, OtherMethodsAre405AndSayWhich) {
    for (const char* method : {"DELETE", "OPTIONS"}) {
        const Response response = ask(method, "/v1/transactions");
        EXPECT_EQ(response.status, 405U) << method;
        EXPECT_EQ(response.header("allow"), "GET, HEAD, POST");
    }
    EXPECT_EQ(ask("HEAD", "/v1/transactions/g1/retry").header("allow"), "POST");
}

}  // namespace
}  // namespace twophase::http
