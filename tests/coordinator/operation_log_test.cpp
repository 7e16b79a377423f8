// The operation log of a transaction, in each state that it can be seen in.
#include "coordinator/operation_log.hpp"

#include "coordinator/protocol/protocol.hpp"

#include <gtest/gtest.h>

namespace twophase::coordinator {
namespace {

using http::Json;

constexpr Gid gid{1};

TEST(ViewTest, ADeliveryThatSucceededInTheEndShowsNoError) {
    Folded folded;
    ASSERT_EQ(folded.fold(Started{.gid = gid,
                                  .mode = Mode::eventual,
                                  .key = {.code = "order", .id = "7"},
                                  .branches = {{.branch_id = "key", .participant = "credit"},
                                               {.branch_id = "mail", .participant = "coupon"}}}),
              "");
    folded.fold(Decided{gid, Decision::commit, {}, {{.vote = Vote::executed}, {}}});
    folded.fold(DeliveryFailed{gid, 1, 1, "unclear", "no answer"});
    const auto mail = [&] {
        const Found found{.live = nullptr, .folded = folded, .damage = {}};
        return Json::parse(outcome_text(view_of(gid, found), false))["branches"][1];
    };
    EXPECT_EQ(mail()["last_error"], "unclear: no answer");
    folded.fold(BranchDone{gid, 1, How::executed, ""});
    EXPECT_FALSE(mail().contains("last_error")) << mail();
    EXPECT_EQ(mail()["attempts"], 1);
}

/// A saga: spend credits, then make a coupon.
class Exchange {
public:
    Exchange() {
        feed(Submitted{.started = {.gid = gid,
                                   .mode = Mode::saga,
                                   .key = {.code = "exchange_coupon", .id = "7"},
                                   .branches = {{.branch_id = "deduct_credit",
                                                 .participant = "credit",
                                                 .payload = "{}"},
                                                {.branch_id = "create_coupon",
                                                 .participant = "coupon",
                                                 .payload = R"({"template_id":"spring"})",
                                                 .after = {"deduct_credit"}}}}});
    }

    void vote(BranchIndex branch, Vote vote, std::string result, std::string code = {}) {
        feed(
            Voted{gid,
                  branch,
                  {.vote = vote, .result = std::move(result), .code = code, .message = "none left"},
                  false});
    }

    void compensate(BranchIndex branch, std::string result = {}) {
        feed(Acknowledged{gid, branch, Verb::compensate, std::move(result)});
    }

    Json seen() const {
        Found found{.live = core_.find(gid), .folded = std::nullopt, .damage = {}};
        if (found.live == nullptr) found.folded = history_;
        return operation_json(view_of(gid, found));
    }

    std::string statuses() const {
        const Json json = seen();
        std::string text = json["status"];
        for (const Json& step : json["steps"]) text += " " + step["status"].get<std::string>();
        return text;
    }

private:
    void feed(const Event& event) {
        for (const Effect& effect : core_.step(event, Time{0}))
            if (const auto* append = std::get_if<Append>(&effect)) {
                history_.fold(append->record);
                feed(Logged{append->record});
            }
    }

    Protocol core_;
    Folded history_;
};

TEST(OperationLogTest, AnOperationThatCompletesNamesWhatItsStepsProduced) {
    Exchange exchange;
    EXPECT_EQ(exchange.statuses(), "started pending pending");
    exchange.vote(0, Vote::executed, R"({"transaction_id":"17","balance":5})");
    EXPECT_EQ(exchange.statuses(), "started completed pending");
    exchange.vote(1, Vote::executed, R"({"coupon_id":"C","template_id":"spring"})");
    EXPECT_EQ(exchange.statuses(), "completed completed completed");
    const Json json = exchange.seen();
    EXPECT_EQ(json["operation_id"], to_text(gid));
    EXPECT_EQ(json["type"], "exchange_coupon");
    EXPECT_EQ(json["steps"][0]["id"], "deduct_credit");
    EXPECT_EQ(json["steps"][0]["transaction_id"], "17");
    EXPECT_FALSE(json["steps"][0].contains("balance"));
    EXPECT_EQ(json["steps"][1]["coupon_id"], "C");
    EXPECT_FALSE(json["steps"][1].contains("template_id")) << "that was given, not produced";
    EXPECT_FALSE(json.contains("error"));
}

TEST(OperationLogTest, ACompensationIsNamedBesideWhatItUndoes) {
    Exchange exchange;
    exchange.vote(0, Vote::executed, R"({"transaction_id":"17"})");
    exchange.vote(1, Vote::refused, {}, "out_of_stock");
    EXPECT_EQ(exchange.statuses(), "compensating compensating failed");
    exchange.compensate(1);
    exchange.compensate(0, R"({"transaction_id":"18"})");
    EXPECT_EQ(exchange.statuses(), "compensated compensated failed");
    const Json json = exchange.seen();
    EXPECT_EQ(json["steps"][0]["transaction_id"], "17");
    EXPECT_EQ(json["steps"][0]["compensation_transaction_id"], "18");
    EXPECT_EQ(json["steps"][1]["error"], "out_of_stock: none left");
    EXPECT_EQ(json["error"], "out_of_stock: none left");
}

TEST(OperationLogTest, ARefusalThatLeftNothingToUndoIsAFailure) {
    Exchange exchange;
    exchange.vote(0, Vote::refused, {}, "insufficient_credits");
    exchange.compensate(0);
    EXPECT_EQ(exchange.statuses(), "failed failed pending");
    EXPECT_EQ(exchange.seen()["error"], "insufficient_credits: none left");
}

}  // namespace
}  // namespace twophase::coordinator
