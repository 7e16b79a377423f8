#include "tests/bench/history.hpp"

#include "coordinator/log_entries.hpp"
#include "coordinator/record_json.hpp"
#include "tests/bench/exchange.hpp"
#include "wal/log.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>
#include <stdexcept>

namespace twophase::bench {
namespace {

namespace fs = std::filesystem;
using namespace coordinator;

constexpr std::size_t transactions_in_append = 64;
constexpr std::size_t appends_under_way = 64;
constexpr const char* filled = "bench fill";  // the number, in the store, of what fill() wrote
constexpr std::uint64_t minted_in_millisecond = 64;

std::uint64_t milliseconds_now() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

wal::LogOptions options_for(const fs::path& data) {
    wal::LogOptions options;
    options.store.directory = data;
    options.store.id = "main";
    options.store.node = 1;
    options.store.map_bytes = std::size_t{64} << 30;
    options.store.any_filesystem = true;
    return options;
}

/// A log and an end to how much it is behind.
class Filler {
public:
    explicit Filler(const fs::path& data)
        : log_(options_for(data), [](const std::function<void()>& function) { function(); }) {}
    ~Filler() { log_.store().stop(); }
    Filler(const Filler&) = delete;
    Filler& operator=(const Filler&) = delete;

    void append(std::vector<wal::Entry> entries, std::uint64_t ceiling) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return under_way_ < appends_under_way; });
        ++under_way_;
        lock.unlock();
        log_.append(
            std::move(entries),
            wal::Urgency::forced,
            [this](wal::Written written) {
                const std::lock_guard guard(mutex_);
                is_full_ = is_full_ || written != wal::Written::durable;
                --under_way_;
                changed_.notify_all();
            },
            ceiling);
    }

    void wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return under_way_ == 0; });
        if (is_full_) throw std::runtime_error("the log has no room for that many");
    }

    wal::Log& log() { return log_; }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t under_way_ = 0;
    bool is_full_ = false;
    wal::Log log_;  // last: its end runs what was submitted
};

Started started_of(const Gid& gid, std::size_t number) {
    const std::string user = "u" + std::to_string(number % many_users);
    Started started{
        .gid = gid,
        .key = {.code = "history", .id = to_text(gid)},
        .branches = {{.branch_id = "1",
                      .participant = "credit",
                      .operation = "deduct_credits",
                      .payload =
                          R"({"amount":3,"credit_type":"points","user_id":")" + user + R"("})"},
                     {.branch_id = "2",
                      .participant = "coupon",
                      .operation = "create_coupon",
                      .payload = R"({"template_id":"t)" + std::to_string(number % many_templates) +
                                 R"(","user_id":")" + user + R"("})"}},
        .origin = {.ip = "127.0.0.1"}};
    started.fingerprint = fingerprint_of(started.mode, started.branches).value();
    return started;
}

Decided commit_of(const Gid& gid) {
    return {.gid = gid,
            .decision = Decision::commit,
            .why = {.code = "all_voted_yes"},
            .votes = {{.vote = Vote::prepared}, {.vote = Vote::prepared}}};
}

void add(std::vector<wal::Entry>& entries, Record record, std::uint32_t n, std::int64_t at) {
    entries.push_back(to_entry({.record = std::move(record), .n = n}, at));
}

void add_finished(std::vector<wal::Entry>& entries, const Gid& gid, std::size_t number) {
    const auto at = static_cast<std::int64_t>(milliseconds_of(gid)) * 1'000;
    add(entries, started_of(gid, number), 0, at);
    add(entries, commit_of(gid), 1, at);
    add(entries,
        BranchDone{
            .gid = gid, .branch = 0, .result = R"({"balance":1,"frozen":0,"transaction_id":"1"})"},
        2,
        at);
    add(entries, BranchDone{.gid = gid, .branch = 1, .result = R"({"coupon_id":"1"})"}, 3, at);
    add(entries, Finished{.gid = gid}, 4, at);
}

constexpr std::uint32_t start_tag = 1;  // in the ids of what is planted

std::function<std::uint64_t()> random_bits() {
    return [engine = std::mt19937_64(std::random_device{}())]() mutable { return engine(); };
}

Gid next(GidMint& mint, std::uint64_t milliseconds) {
    return mint.mint(milliseconds, milliseconds + 1'000).value();
}

}  // namespace

std::size_t fill(const fs::path& data, std::size_t count, const Progress& progress) {
    fs::create_directories(data);
    Filler filler(data);
    const std::size_t before = filler.log().store().number(filled);
    if (before >= count) return 0;
    // Ids below those of now, so that live ones come behind them; above those of an earlier fill.
    const std::uint64_t first =
        std::max(filler.log().gid_ceiling(),
                 milliseconds_now() - (count - before) / minted_in_millisecond - 1'000);
    GidMint mint(1, first, random_bits(), start_tag);
    for (std::size_t done = before; done < count;) {
        std::vector<wal::Entry> entries;
        const std::size_t end = std::min(count, done + transactions_in_append);
        const std::uint64_t now = first + (done - before) / minted_in_millisecond;
        for (; done < end; ++done) add_finished(entries, next(mint, now), done);
        filler.append(std::move(entries), now + 1'000);
        progress(done);
    }
    filler.wait();
    wal::Store& store = filler.log().store();
    store.submit({.work = [&](wal::Unit& unit) { wal::Store::raise(unit, store, filled, count); }});
    return count - before;
}

std::size_t plant_backlog(Servers& servers,
                          Exchanges& exchanges,
                          std::size_t count,
                          const Progress& progress) {
    Filler filler(servers.by_name("coordinator").data());
    // In the name of the last start that its participants have heard from.
    const wal::StoreIdentity& identity = filler.log().store().identity();
    const std::string speaker = std::to_string(identity.epoch) + R"(,"log":")" +
                                to_text(identity.log) + R"(","start":")" + to_text(identity.start) +
                                "\"";
    const std::uint64_t first = std::max(filler.log().gid_ceiling(), milliseconds_now());
    GidMint mint(1, first, random_bits(), start_tag);
    std::size_t decided = 0;
    for (std::size_t done = 0; done < count;) {
        std::vector<wal::Entry> entries;
        std::string credit;
        std::string coupon;
        const std::size_t end = std::min(count, done + std::size_t{200});  // in an array
        const std::uint64_t now = first + done / minted_in_millisecond;
        for (; done < end; ++done) {
            const Gid gid = next(mint, now);
            const Started started = started_of(gid, done);
            const std::string rest = R"(","coordinator":"main","epoch":)" + speaker +
                                     R"(,"business_code":"history","business_id":")" +
                                     to_text(gid) + R"(","gid":")" + to_text(gid) +
                                     R"(","operation":")";
            const auto message = [&](const BranchRequest& branch) {
                return std::string(R"({"branch_id":")") + branch.branch_id +
                       R"(","participant":")" + branch.participant + rest + branch.operation +
                       R"(","payload":)" + branch.payload + "}";
            };
            credit += (credit.empty() ? "[" : ",") + message(started.branches[0]);
            coupon += (coupon.empty() ? "[" : ",") + message(started.branches[1]);
            const auto at = static_cast<std::int64_t>(now) * 1'000;
            add(entries, started, 0, at);
            if (done % 10 == 9) continue;
            add(entries, commit_of(gid), 1, at);
            ++decided;
        }
        filler.append(std::move(entries), now + 1'000);
        for (const auto& [client, body] :
             {std::pair(&exchanges.credit(), &credit), std::pair(&exchanges.coupon(), &coupon)}) {
            const auto answer = exchanges.ask(
                *client, {.method = "POST", .target = "/v1/branches/prepare", .body = *body + "]"});
            if (answer.body.find(R"("status":4)") != std::string::npos)
                throw std::runtime_error("a participant would not prepare: " + answer.body);
        }
        progress(done);
    }
    filler.wait();
    return decided;
}

}  // namespace twophase::bench
