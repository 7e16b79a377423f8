// GET /v1/transactions in its two parts: what is live is taken when it is asked for, the rest is
// read beside the loop.
#include "coordinator/listing.hpp"

#include "tests/coordinator/turned_service.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace twophase::coordinator {
namespace {

class ListingTest : public TurnedService {
protected:
    using Query = std::map<std::string, std::string>;

    Gid committed(const std::string& id) {
        const Gid gid = submit(id).gid;
        finish();
        return gid;
    }
    /// Decided, and nobody has acknowledged.
    Gid decided(const std::string& id) {
        const Gid gid = submit(id).gid;
        const auto leaves = [](const std::string& verb, const Json& message) {
            return verb == "prepare" ? agrees(verb, message) : Said{0, {}};
        };
        finish(leaves);
        EXPECT_TRUE(service_->has_reached(gid, Milestone::decided));
        return gid;
    }
    boost::system::result<Listing, http::Response> begin(Query query = {}) {
        return Listing::begin(*service_, {.method = "GET", .query = std::move(query)});
    }
    Json page(const Query& query = {}) { return Json::parse(begin(query)->finish().body); }
    /// "committed 3" of each item, newest first; its number is its business id.
    static std::vector<std::string> lines(const Json& page) {
        std::vector<std::string> all;
        for (const Json& item : page.at("items"))
            all.push_back(std::string(item.at("state")) + " " +
                          std::string(item.at("business_id")));
        return all;
    }
    std::vector<std::string> every_page(Query query) {
        std::vector<std::string> all;
        for (int pages = 0; pages < 100; ++pages) {
            const Json one = page(query);
            for (const std::string& line : lines(one)) all.push_back(line);
            if (one.at("next").is_null()) return all;
            query["before"] = one.at("next");
        }
        return {"no end"};
    }
};

TEST_F(ListingTest, PagesHoldAllThatIsLiveOrOverOnceAndNewestFirst) {
    hear();
    for (const char* id : {"1", "2"}) committed(id);
    decided("3");
    committed("4");
    for (const char* id : {"5", "6"}) decided(id);
    committed("7");
    const std::vector<std::string> all{"committed 7",
                                       "committing 6",
                                       "committing 5",
                                       "committed 4",
                                       "committing 3",
                                       "committed 2",
                                       "committed 1"};
    for (const char* limit : {"1", "2", "3", "7", "100"})
        EXPECT_EQ(every_page({{"limit", limit}}), all) << limit;
    EXPECT_EQ(every_page({{"limit", "2"}, {"state", "committing"}}),
              (std::vector<std::string>{"committing 6", "committing 5", "committing 3"}));
    EXPECT_EQ(every_page({{"limit", "1"}, {"state", "unfinished"}}),
              (std::vector<std::string>{"committing 6", "committing 5", "committing 3"}));
    EXPECT_EQ(
        every_page({{"limit", "1"}, {"state", "committed"}}),
        (std::vector<std::string>{"committed 7", "committed 4", "committed 2", "committed 1"}));
}

TEST_F(ListingTest, WhatWasToldBeforeIsInItAndWhatBeginsLaterIsNot) {
    hear();
    committed("1");
    decided("2");
    const Gid unknown = submit("3").gid;  // its start isn't durable
    auto asked = begin();
    ASSERT_TRUE(asked);
    pass(1'000ms);
    finish();
    committed("4");
    EXPECT_EQ(lines(Json::parse(asked->finish().body)),
              (std::vector<std::string>{"committing 2", "committed 1"}));
    EXPECT_EQ(
        lines(page()),
        (std::vector<std::string>{"committed 4", "committed 3", "committed 2", "committed 1"}))
        << to_text(unknown);
}

TEST_F(ListingTest, ARestartListsTheSame) {
    hear();
    committed("1");
    decided("2");
    crash();
    start();
    EXPECT_EQ(lines(page()), (std::vector<std::string>{"committing 2", "committed 1"}));
}

TEST_F(ListingTest, AQueryThatNobodyReadsIsRefused) {
    for (const auto& [name, value] : Query{{"limit", "0"}, {"staet", "committed"}}) {
        const auto refused = begin({{name, value}});
        ASSERT_FALSE(refused) << name;
        EXPECT_EQ(refused.error().status, 400U);
    }
}

}  // namespace
}  // namespace twophase::coordinator
