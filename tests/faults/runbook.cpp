#include "tests/faults/runbook.hpp"

#include "tests/faults/books.hpp"
#include "tests/recovery/scraped.hpp"

#include <array>
#include <cstdio>
#include <fstream>
#include <sys/wait.h>
#include <thread>

namespace twophase::faults {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::size_t always = 1'000'000;

std::string quoted(const std::string& word) {
    std::string text = "'";
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
}

}  // namespace

Said recoveryctl(std::vector<std::string> words) {
    std::string command =
        "TWOPHASE_TEST_ANY_FILESYSTEM=1 " + quoted(std::string(PROGRAMS) + "/recoveryctl");
    for (const std::string& word : words) command += " " + quoted(word);
    command += " 2>&1 </dev/null";
    Said said;
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return said;
    std::array<char, 4096> part{};
    while (const std::size_t got = std::fread(part.data(), 1, part.size(), pipe))
        said.text.append(part.data(), got);
    const int status = ::pclose(pipe);
    if (WIFEXITED(status)) said.exit_code = WEXITSTATUS(status);
    return said;
}

void copy_raw(const fs::path& from, const fs::path& to) {
    fs::remove_all(to);
    fs::create_directories(to.parent_path());
    fs::copy(from, to, fs::copy_options::recursive);
}

// --- clients ---

Exchange Runbook::exchange_of(const std::string& id) {
    return {.business_id = id, .user = "u0", .price = price};
}

http::Response Runbook::send(const Program& coordinator, const std::string& id, const Json& more) {
    Json request = Load::request_of(exchange_of(id));
    if (more.is_object()) request.update(more);
    return ask(coordinator, "POST", "/v1/transactions", request);
}

Json Runbook::submit_to(const Program& coordinator, const std::string& id, const Json& more) {
    const http::Response response = send(coordinator, id, more);
    Json answer = Json::parse(response.body, nullptr, false);
    EXPECT_TRUE(answer.contains("gid")) << response.status << " " << response.body;
    if (!answer.contains("gid")) return answer;
    Exchange& exchange = exchanges_.emplace(id, exchange_of(id)).first->second;
    exchange.gids.insert(answer["gid"].get<std::string>());
    if (answer["decision"].is_string()) exchange.told.insert(answer["decision"].get<std::string>());
    return answer;
}

std::string Runbook::refusal_of(const http::Response& response) {
    return std::to_string(response.status) + " " +
           Json::parse(response.body, nullptr, false).value("code", "");
}

http::Response Runbook::send_to_credit_alone(const std::string& id) {
    return ask(
        coordinator_,
        "POST",
        "/v1/transactions",
        {{"business_code", "alone"},
         {"business_id", id},
         {"branches",
          {{{"participant", "credit"},
            {"operation", "add_credits"},
            {"payload", {{"user_id", "poor"}, {"credit_type", "points"}, {"amount", 1}}}}}}});
}

// --- a decision on its way ---

std::string Runbook::half_deliver(const std::string& id) { return decide(id, {"coupon"}); }

std::string Runbook::deliver_nowhere(const std::string& id) {
    return decide(id, {"coupon", "credit"});
}

std::string Runbook::decide(const std::string& id, const std::set<std::string>& unreached) {
    for (const std::string& name : unreached)
        proxied_.to(name).next(Fault::refuse, "/commit", always);
    proxied_.to("coordinator").next(Fault::refuse, "/decision", always);
    const std::size_t before = in_doubt(credit_);
    const Json answer = submit(id, {{"wait_for", "decision"}});
    EXPECT_EQ(answer.value("decision", ""), "commit") << answer;
    EXPECT_TRUE(unreached.contains("credit") ||
                eventually(30s, [&] { return in_doubt(credit_) == before; }));
    return answer.value("gid", "");
}

void Runbook::end_in_the_middle() {
    coordinator_.kill();
    proxied_.heal();
}

void Runbook::leave_undecided(const std::string& id) {
    if (!coordinator_.is_running()) fleet_.start_all();
    proxied_.to("coupon").next(Fault::lose_reply, "/prepare", always);
    proxied_.to("coordinator").next(Fault::refuse, "/decision", always);
    Json request = Load::request_of(exchange_of(id));
    request["timeout_ms"] = 60'000;
    std::thread client([&] { try_ask(coordinator_, "POST", "/v1/transactions", request); });
    EXPECT_TRUE(eventually(30s, [&] {
        const Json listed = ask_json(
            coordinator_, "GET", "/v1/transactions?business_code=exchange&business_id=" + id);
        return !listed.at("items").empty() && in_doubt(credit_) > 0 && in_doubt(coupon_) > 0;
    })) << "its start is durable, and both are prepared";
    end_in_the_middle();
    client.join();
}

// --- looking ---

bool Runbook::gets(const std::string& state) {
    return eventually(30s, [&] { return log_state() == state; });
}

std::string Runbook::held_for(const std::string& participant) {
    const Json all = ask_json(coordinator_, "GET", "/v1/participants");
    for (const Json& item : all.at("items"))
        if (item.at("participant") == participant) return item.value("held_for", "");
    return "not configured";
}

std::size_t Runbook::in_doubt(const Program& participant) {
    return ask_json(participant, "GET", "/v1/branches/in-doubt").at("items").size();
}

Json Runbook::holdings() {
    Json all;
    all["account"] = ask_json(credit_, "GET", "/v1/accounts/u0/points");
    all["stock"] = ask_json(coupon_, "GET", "/v1/templates/spring");
    for (Program* each : {&credit_, &coupon_})
        all["in doubt"].push_back(ask_json(*each, "GET", "/v1/branches/in-doubt").at("items"));
    for (Json& branches : all["in doubt"])
        for (Json& branch : branches) branch.erase("age_seconds");
    return all;
}

void Runbook::expect_inquiries_to_be_answered_pending() {
    for (Program* each : {&credit_, &coupon_}) {
        const std::size_t branches = in_doubt(*each);
        const std::string sample = "twophase_inquiries_total{answer=\"undecided\"}";
        const double before = metric(*each, sample);
        EXPECT_TRUE(eventually(60s, [&] {
            return metric(*each, sample) >= before + 1.0 * static_cast<double>(branches);
        })) << each->log_tail();
        EXPECT_EQ(in_doubt(*each), branches);
    }
}

double Runbook::metric(const Program& program, const std::string& sample) {
    const recovery::testing::Scraped scraped(ask(program, "GET", "/metrics").body);
    return scraped.has(sample) ? scraped[sample] : 0;
}

std::size_t Runbook::count_in_log(const Program& program, const std::string& text) {
    std::ifstream file(program.log_file());
    std::size_t lines = 0;
    for (std::string line; std::getline(file, line);)
        if (line.find(text) != std::string::npos) ++lines;
    return lines;
}

std::string Runbook::known_log(const Program& participant) {
    const Json answer = ask_json(participant, "GET", "/v1/branches/in-doubt?coordinator=main");
    return answer.at("known").is_null() ? "" : answer["known"].at("log").get<std::string>();
}

// --- endings ---

void Runbook::expect_end(Program& program, int exit_code) {
    program.start();
    const auto ending = program.wait_end(60s);
    ASSERT_TRUE(ending) << program.log_tail();
    EXPECT_EQ(ending->exit_code, exit_code) << program.log_tail();
}

void Runbook::expect_all_well() {
    expect_quiet(fleet_, 60s);
    expect_books_agree(fleet_, exchanges_);
}

// --- places ---

Program Runbook::another_coordinator(const std::string& folder, std::vector<std::string> more) {
    fs::create_directories(place(folder));
    Json participants;
    for (const char* name : {"credit", "coupon"}) {
        const std::string file = place(std::string(name) + "-participant.proxy").string();
        participants[name] = {{"endpoint", "file:" + file + "#/v1/branches"}, {"batch", true}};
    }
    std::vector<std::string> words{"--participants", participants.dump()};
    const FleetOptions options = quick();
    words.insert(words.end(), options.coordinator.begin(), options.coordinator.end());
    words.insert(words.end(), more.begin(), more.end());
    return Program("coordinator", place(folder), std::move(words));
}

void Runbook::lead_to(const Program& other) {
    fs::remove(coordinator_.address_file());
    fs::create_symlink(other.address_file(), coordinator_.address_file());
}

}  // namespace twophase::faults
