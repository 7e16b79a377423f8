#include "tests/faults/books.hpp"

#include <gtest/gtest.h>

#include <set>

namespace twophase::faults {
namespace {

constexpr const char* account_of = "/v1/accounts/";

std::vector<std::string> all_users() {
    std::vector<std::string> users{"poor"};
    for (int i = 0; i < Load::users; ++i) users.push_back("u" + std::to_string(i));
    return users;
}

/// Every item of a paged listing.
std::vector<Json> all_items(const Program& program, const std::string& target) {
    std::vector<Json> items;
    std::string before;
    for (;;) {
        const std::string page_target =
            target + "?limit=500" + (before.empty() ? "" : "&before=" + before);
        const Json page = ask_json(program, "GET", page_target);
        if (!page.contains("items")) return items;
        for (const Json& item : page["items"]) items.push_back(item);
        if (!page.contains("next") || page["next"].is_null()) return items;
        before = page["next"].is_string() ? page["next"].get<std::string>() : page["next"].dump();
    }
}

bool is_quiet(Fleet& fleet) {
    const Json status = ask_json(fleet.coordinator, "GET", "/v1/status");
    if (status.value("live", std::size_t{1}) != 0) return false;
    for (Program* participant : {&fleet.credit, &fleet.coupon}) {
        const Json page = ask_json(*participant, "GET", "/v1/branches/in-doubt?limit=1");
        if (!page.contains("items") || !page["items"].empty()) return false;
    }
    return true;
}

/// What the two participants hold for each gid: points deducted by credit, coupons by coupon.
struct Held {
    std::map<std::string, std::int64_t> deducted;
    std::multiset<std::string> coupons;
};

Held read_participants(Fleet& fleet) {
    Held held;
    for (const std::string& user : all_users()) {
        const std::string account = account_of + user + "/points";
        const Json state = ask_json(fleet.credit, "GET", account);
        EXPECT_EQ(state.value("frozen", -1), 0) << state;
        std::int64_t sum = 0;
        std::set<std::string> compensated;
        for (const Json& entry : all_items(fleet.credit, account + "/entries")) {
            const auto amount = entry.at("amount").get<std::int64_t>();
            sum += amount;
            const std::string kind = entry.value("kind", "");
            if (kind != "deduct" && kind != "compensation") continue;
            const auto gid = entry.at("gid").get<std::string>();
            if (kind == "compensation")
                EXPECT_TRUE(compensated.insert(gid).second) << "compensated twice: " << gid;
            else
                EXPECT_TRUE(held.deducted.emplace(gid, -amount).second)
                    << "deducted twice: " << gid;
        }
        for (const std::string& gid : compensated)
            EXPECT_EQ(held.deducted.erase(gid), 1U) << "compensated and never deducted: " << gid;
        EXPECT_EQ(state.value("balance", std::int64_t{-1}), sum) << state;
        for (const Json& coupon : all_items(fleet.coupon, "/v1/users/" + user + "/coupons"))
            held.coupons.insert(coupon.at("gid").get<std::string>());
    }
    const Json stock = ask_json(fleet.coupon, "GET", "/v1/templates/spring");
    EXPECT_EQ(stock.value("reserved", -1), 0) << stock;
    EXPECT_EQ(stock.value("issued", std::size_t{0}), held.coupons.size()) << stock;
    return held;
}

/// Asks for every exchange once more: what each was ever told, this last time included.
std::map<std::string, Exchange> ask_again(Fleet& fleet,
                                          const std::map<std::string, Exchange>& exchanges) {
    LoadOptions options{.clients = 32};
    for (const auto& [id, exchange] : exchanges) options.repeat.push_back(exchange);
    if (options.repeat.empty()) return {};
    Load load(fleet.coordinator, options);
    load.start();
    EXPECT_TRUE(load.finish(std::chrono::minutes(5))) << "some exchange got no answer";
    return load.exchanges();
}

/// The one decision that was told, and the one gid.
std::string only_decision(const Exchange& exchange, std::string& gid) {
    EXPECT_EQ(exchange.gids.size(), 1U) << exchange.business_id << " was told several gids";
    EXPECT_EQ(exchange.told.size(), 1U) << exchange.business_id << " was told several decisions";
    if (exchange.gids.empty() || exchange.told.empty()) return "none";
    gid = *exchange.gids.begin();
    return *exchange.told.begin();
}

}  // namespace

void open_books(Fleet& fleet) {
    for (const std::string& user : all_users())
        ask_json(
            fleet.credit, "POST", "/v1/accounts", {{"user_id", user}, {"credit_type", "points"}});
    for (int i = 0; i < Load::users; ++i)
        EXPECT_TRUE(ask_json(fleet.credit,
                             "POST",
                             account_of + ("u" + std::to_string(i)) + "/points/grant",
                             {{"amount", points_granted},
                              {"business_code", "test"},
                              {"business_id", "u" + std::to_string(i)}})
                        .value("success", false));
    EXPECT_EQ(ask_json(fleet.coupon,
                       "POST",
                       "/v1/templates",
                       {{"template_id", "spring"},
                        {"name", "Spring"},
                        {"stock", 1'000'000'000},
                        {"per_user_limit", 0}})
                  .value("template_id", ""),
              "spring");
}

void expect_quiet(Fleet& fleet, std::chrono::milliseconds limit) {
    EXPECT_TRUE(eventually(limit, [&] { return is_quiet(fleet); }))
        << ask(fleet.coordinator, "GET", "/v1/transactions?limit=20").body << "\n"
        << ask(fleet.coordinator, "GET", "/v1/participants").body << "\n"
        << fleet.coordinator.log_tail();
}

Outcomes expect_books_agree(Fleet& fleet, const std::map<std::string, Exchange>& exchanges) {
    std::set<std::string> settled;
    return expect_books_agree(fleet, exchanges, settled);
}

Outcomes expect_books_agree(Fleet& fleet,
                            const std::map<std::string, Exchange>& exchanges,
                            std::set<std::string>& settled) {
    Outcomes outcomes;
    Held held = read_participants(fleet);
    for (const auto& [id, exchange] : ask_again(fleet, exchanges)) {
        std::string gid;
        const std::string decision = only_decision(exchange, gid);
        if (decision == "commit") {
            ++outcomes.commits;
            EXPECT_EQ(held.deducted[gid], exchange.price) << "told committed: " << id << " " << gid;
            EXPECT_EQ(held.coupons.count(gid), 1U) << "one coupon each: " << id << " " << gid;
            EXPECT_TRUE(settled.insert(gid).second) << "two exchanges with one gid: " << gid;
        } else {
            EXPECT_EQ(decision, "rollback") << id;
            ++outcomes.rollbacks;
            EXPECT_FALSE(held.deducted.contains(gid)) << "told rolled back: " << id << " " << gid;
            EXPECT_FALSE(held.coupons.contains(gid)) << "told rolled back: " << id << " " << gid;
        }
    }
    // Whatever else is held belongs to nobody's exchange.
    for (const auto& [gid, points] : held.deducted)
        EXPECT_TRUE(settled.contains(gid)) << points << " points deducted for nobody: " << gid;
    for (const std::string& gid : held.coupons)
        EXPECT_TRUE(settled.contains(gid)) << "a coupon for nobody: " << gid;
    EXPECT_EQ(held.coupons.size(), held.deducted.size());
    return outcomes;
}

}  // namespace twophase::faults
