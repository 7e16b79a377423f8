// Times in answers are RFC 3339, and a time that is given in another form is refused.
#include "http/instant.hpp"
#include "participants/coupon/coupon.hpp"
#include "participants/credit/credit.hpp"
#include "tests/participants/bench.hpp"
#include "tests/participants/running.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

namespace twophase::participants {
namespace {

using http::Json;
using testing::deduct;
using testing::get;
using testing::post;
using testing::Reply;
using testing::RunningParticipant;

bool is_time(const std::string& name) {
    return name.ends_with("_at") || name == "timestamp" || name.starts_with("valid_");
}

/// How many times an answer tells; a failure for each that isn't RFC 3339. `began_at` is a
/// position.
int times_in(const Json& json) {
    int times = 0;
    for (const auto& [name, value] : json.items()) {
        if (value.is_structured()) {
            times += times_in(value);
        } else if (json.is_object() && is_time(name) && name != "began_at" && !value.is_null()) {
            EXPECT_TRUE(value.is_string() && http::parse_instant(value.get<std::string>()))
                << name << ": " << value;
            ++times;
        }
    }
    return times;
}

std::string in_days(int days) {
    const auto now = std::chrono::system_clock::now() + std::chrono::days(days);
    return http::instant_text(
        std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count());
}

struct CouponTimes : ::testing::Test {
    Reply make(const std::string& id, const Json& from, const Json& until) {
        Json body{{"template_id", id}, {"name", "S"}, {"stock", 9}};
        if (!from.is_null()) body["valid_from"] = from;
        if (!until.is_null()) body["valid_until"] = until;
        return post(coupon.endpoint(), "/v1/templates", body);
    }
    Reply issue(const std::string& id) {
        return post(coupon.endpoint(),
                    "/v1/operations",
                    {{"business_code", "o"},
                     {"business_id", id},
                     {"operations",
                      {{{"operation", "create_coupon"},
                        {"payload", {{"template_id", id}, {"user_id", "ann"}}}}}}});
    }
    testing::TemporaryDirectory directory;
    RunningParticipant coupon{
        std::make_unique<coupon::CouponKind>(), coupon::defaults(), directory.path()};
};

TEST_F(CouponTimes, AValidityInAnotherFormOrFarAwayIsRefusedAndLeavesNothing) {
    const std::int64_t tomorrow = 1'796'000'000;
    for (const Json& wrong : {Json(tomorrow),
                              Json(tomorrow * 1'000),
                              Json(tomorrow * 1'000'000),
                              Json(std::to_string(tomorrow)),
                              Json("2026-12-01"),
                              Json("1999-12-31T23:59:59Z"),
                              Json("2201-01-01T00:00:00Z"),
                              Json(0),
                              Json(-1),
                              Json("")}) {
        const Reply until = make("t", nullptr, wrong);
        EXPECT_EQ(until.status, 400U) << wrong;
        EXPECT_EQ(until.body.at("field"), "valid_until");
        EXPECT_EQ(make("t", wrong, nullptr).body.value("field", ""), "valid_from") << wrong;
    }
    EXPECT_EQ(make("t", in_days(2), in_days(1)).body.at("field"), "valid_until");
    EXPECT_EQ(get(coupon.endpoint(), "/v1/templates/t").status, 404U);
}

TEST_F(CouponTimes, AValidityIsKeptAsItWasMeant) {
    const Reply made = make("now", "2000-01-01T01:00:00.5+01:00", in_days(1));
    ASSERT_EQ(made.status, 201U) << made.body;
    EXPECT_EQ(made.body.at("valid_from"), "2000-01-01T00:00:00.500000Z");
    EXPECT_EQ(issue("now").status, 200U);
    make("over", nullptr, in_days(-1));
    EXPECT_EQ(issue("over").body.value("reason", ""), "no_longer_valid");
    make("later", in_days(1), nullptr);
    EXPECT_EQ(issue("later").body.value("reason", ""), "not_yet_valid");
    EXPECT_EQ(times_in(get(coupon.endpoint(), "/v1/templates/now").body), 4);
    EXPECT_EQ(times_in(get(coupon.endpoint(), "/v1/users/ann/coupons").body), 1);
}

struct CreditTimes : ::testing::Test {
    CreditTimes() {
        post(credit.endpoint(), "/v1/accounts", {{"user_id", "ann"}, {"credit_type", "points"}});
        post(credit.endpoint(),
             "/v1/accounts/ann/points/grant",
             {{"amount", 100}, {"business_code", "welcome"}, {"business_id", "1"}});
        post(credit.endpoint(),
             "/v1/operations",
             {{"business_code", "gift"},
              {"business_id", "1"},
              {"operations",
               {{{"operation", "deduct_credits"},
                 {"payload", {{"user_id", "ann"}, {"credit_type", "points"}, {"amount", 1}}}}}}});
        post(credit.endpoint(), "/v1/branches/prepare", deduct(1));
        post(credit.endpoint(), "/v1/reconciliation", Json::object());
    }
    testing::TemporaryDirectory directory;
    RunningParticipant credit{
        std::make_unique<credit::CreditKind>(), credit::defaults(), directory.path()};
};

TEST_F(CreditTimes, EveryAnswerTellsThemInRfc3339) {
    for (const char* path : {"/v1/accounts/ann/points",
                             "/v1/accounts/ann/points/entries",
                             "/v1/operations?business_code=gift&business_id=1",
                             "/v1/branches/in-doubt",
                             "/v1/reconciliation",
                             "/v1/audit"})
        EXPECT_GT(times_in(get(credit.endpoint(), path).body), 0) << path;
}

TEST_F(CreditTimes, AFilterTakesThemInRfc3339Alone) {
    for (const std::string path : {"/v1/audit?from=", "/v1/audit?to="})
        for (const char* wrong : {"1796000000", "1796000000000", "1796000000000000", "2026-12-01"})
            EXPECT_EQ(get(credit.endpoint(), path + wrong).status, 400U) << path << wrong;
    const std::string older = "/v1/branches/in-doubt?prepared_before=";
    EXPECT_EQ(get(credit.endpoint(), older + "1796000000000000").status, 400U);
    EXPECT_EQ(get(credit.endpoint(), older + in_days(1)).body.at("items").size(), 1U);
    EXPECT_EQ(get(credit.endpoint(), older + in_days(-1)).body.at("items").size(), 0U);
}

TEST_F(CreditTimes, TheAuditsExportKeepsTheFormThatIsHashed) {
    const std::string text = get(credit.endpoint(), "/v1/audit/export?limit=1").response.body;
    EXPECT_TRUE(Json::parse(text).at("timestamp").is_number_integer()) << text;
}

}  // namespace
}  // namespace twophase::participants
