#include "tests/simulation/participant_node.hpp"

#include "participants/contract_routes.hpp"
#include "participants/credit/claims.hpp"
#include "participants/record.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace twophase::simulation {

using namespace twophase::participants;

namespace {

constexpr std::uint64_t retention_seconds = 2 * 3600;  // above the coordinator's
constexpr std::size_t most_forgotten_at_once = 64;

template <class Record, class Visit>
void for_each(const wal::Reader& reader, wal::Table table, const Visit& visit) {
    wal::Cursor cursor = reader.cursor(table);
    for (bool is_there = cursor.first(); is_there; is_there = cursor.next())
        visit(std::string(cursor.key()), decode<Record>(cursor.key(), cursor.value()));
}

/// Every gid that a message or an answer names, in order.
std::vector<std::string_view> gids_in(std::string_view body) {
    constexpr std::string_view before = R"("gid":")";
    constexpr std::size_t length = 36;
    std::vector<std::string_view> gids;
    for (std::size_t at = body.find(before); at != std::string_view::npos;
         at = body.find(before, at + length))
        gids.push_back(body.substr(at + before.size(), length));
    return gids;
}

/// The branch of a message: it comes after the gid.
std::string branch_id_after(std::string_view body, std::string_view gid) {
    constexpr std::string_view before = R"("branch_id":")";
    const auto from = static_cast<std::size_t>(gid.data() - body.data());
    const std::size_t begin = body.find(before, from) + before.size();
    return std::string(body.substr(begin, body.find('"', begin) - begin));
}

/// Whether the i-th answer has this member: members are sorted, so it comes after the gid.
bool says(std::string_view body,
          const std::vector<std::string_view>& gids,
          std::size_t i,
          std::string_view member) {
    const auto from = static_cast<std::size_t>(gids[i].data() - body.data());
    const std::size_t to = i + 1 < gids.size()
                               ? static_cast<std::size_t>(gids[i + 1].data() - body.data())
                               : body.size();
    return body.substr(from, to - from).find(member) != std::string_view::npos;
}

}  // namespace

ParticipantNode::ParticipantNode(World& the_world,
                                 Ledger& ledger,
                                 const std::string& the_name,
                                 const std::string& the_directory)
    : Node(the_world, the_name, the_directory), ledger_(ledger) {}

Moment ParticipantNode::moment() const {
    return {.microseconds = wall_microseconds(), .running_seconds = store_->running_seconds()};
}

void ParticipantNode::boot() {
    wal::StoreOptions options = store_options();
    options.kind = options.id = name;
    options.tables = branch_tables();
    std::ranges::copy(resource_tables(), std::back_inserter(options.tables));
    options.map_bytes = std::size_t{256} << 20;
    store_ = std::make_unique<wal::Store>(
        options, [this](std::function<void()> function) { post(std::move(function)); });
    const TableOf table_of = [this](std::string_view table) { return store_->table(table); };
    queue_.emplace(*store_, 1'000, metrics_);
    branches_.emplace(
        Branches::Options{.participant = name,
                          .coordinators = {"main"},
                          // A log that is full for new work is so for tombstones.
                          .has_room = [this] { return !world.strikes(Fault::log_full); }},
        table_of,
        make_resource(table_of));
    if (store_->is_new()) {
        queue_->submit(
            {.work = [this](wal::Unit& unit) { found(unit, moment()); }, .then = [](Fate) {}});
        store_->step(1);
    }
    router_.emplace();
    LogConfirmerOptions confirmations;
    confirmations.coordinators = {{"main", http::Endpoint::parse("http://coordinator:1").value()}};
    confirmations.timeout = world.plan.call_timeout;
    confirmations.backoff = {world.plan.retry_first, 4 * world.plan.retry_first};
    confirmer_.emplace(
        *this, std::move(confirmations), *branches_, *queue_, [this] { return moment(); });
    add_contract_routes(
        *router_, *branches_, *queue_, *confirmer_, [this] { return moment(); }, 256);
    InquirerOptions inquiries;
    inquiries.participant = name;
    inquiries.coordinators = {{"main", http::Endpoint::parse("http://coordinator:1").value()}};
    inquiries.inquire_after = world.plan.inquire_after;
    inquiries.look_every = std::max(world.plan.inquire_after / 4, recovery::Time(10));
    inquiries.timeout = world.plan.call_timeout;
    inquiries.backoff = {world.plan.retry_first, 4 * world.plan.retry_first};
    inquirer_.emplace(
        *this, std::move(inquiries), *branches_, *queue_, [this] { return moment(); });
    inquirer_->start();
    forget_alarm_ = alarm();
    forget_later();
    if (has_true_store) ledger_.check_promises(*this);
}

void ParticipantNode::unmake() {
    inquirer_.reset();
    confirmer_.reset();
    forget_alarm_.reset();
    router_.reset();
    branches_.reset();
    store_.reset();
    queue_.reset();
}

void ParticipantNode::forget_later() {
    forget_alarm_->set(now() + recovery::Time(60'000), [this] {
        queue_->submit({.work =
                            [this](wal::Unit& unit) {
                                branches_->forget(
                                    unit, moment(), retention_seconds, most_forgotten_at_once);
                            },
                        .then = [](Fate) {},
                        .label = "forget"});
        forget_later();
    });
}

void ParticipantNode::answer(http::Request request, http::Respond respond) {
    const http::Request asked = request;
    (*router_)(std::move(request), [this, asked, respond](http::Response response) {
        watch_answer(asked, response);
        respond(std::move(response));
    });
}

/// What leaves with this answer is a promise, and what came with the request was a decision.
void ParticipantNode::watch_answer(const http::Request& request, const http::Response& response) {
    const std::string verb = request.path.substr(request.path.rfind('/') + 1);
    const bool is_question = verb == "prepare" || verb == "execute";
    if (!is_question && verb != "commit" && verb != "rollback" && verb != "compensate") return;
    // By hand, as this runs for every message: the programs write their JSON without blanks.
    const std::vector<std::string_view> sent = gids_in(request.body);
    const std::vector<std::string_view> answered = gids_in(response.body);
    for (std::size_t i = 0; i < sent.size(); ++i) {
        const Ledger::Branch branch{
            name, std::string(sent[i]), branch_id_after(request.body, sent[i])};
        const bool is_answered = i < answered.size();
        // What it refuses to hear tells it nothing.
        if (is_answered && (says(response.body, answered, i, R"("told_log")") ||
                            says(response.body, answered, i, "this log is new here")))
            continue;
        const coordinator::Gid id = *coordinator::parse_gid(branch.gid);
        if (verb == "commit") ledger_.told(id, coordinator::Decision::commit, name);
        if (verb == "rollback") ledger_.told(id, coordinator::Decision::rollback, name);
        if (verb == "compensate") ledger_.undone(branch);
        if (verb == "execute") ledger_.executed(branch);
        if (!is_answered || !has_true_store) continue;
        const auto is_said = [&](const char* member) {
            return says(response.body, answered, i, member);
        };
        if (is_said(R"("vote":"prepared")") || is_said(R"("vote":"executed")"))
            ledger_.promised(branch);
        if (is_said(R"("state":"rolled_back")") || is_said(R"("state":"compensated")"))
            ledger_.rolled_back(branch);
    }
}

std::vector<ParticipantNode::Row> ParticipantNode::branches() {
    std::vector<Row> rows;
    for_each<Branch>(
        store_->snapshot(), store_->table("branches"), [&](const std::string& key, Branch branch) {
            auto [gid, branch_id] = split_branch_key(key);
            rows.push_back({std::move(gid), std::move(branch_id), std::move(branch)});
        });
    return rows;
}

std::optional<Branch> ParticipantNode::branch(const std::string& gid,
                                              const std::string& branch_id) {
    return read<Branch>(store_->snapshot(), store_->table("branches"), branch_key(gid, branch_id));
}

std::size_t ParticipantNode::in_doubt() {
    return store_->snapshot().count(store_->table("in_doubt"));
}

// --- credit ---

std::vector<std::string> CreditNode::resource_tables() const { return credit::Accounts::tables(); }

Resource& CreditNode::make_resource(const TableOf& table_of) { return resource_.emplace(table_of); }

void CreditNode::found(wal::Unit& unit, const Moment& moment) {
    for (int user = 0; user < world.plan.users; ++user) {
        const credit::AccountName account_name{"u" + std::to_string(user), "points"};
        credit::Account account = resource_->accounts().create(unit, account_name, moment);
        credit::Entry entry;
        entry.amount = world.plan.first_balance;
        resource_->accounts().post(unit, account_name, account, entry, moment);
    }
}

std::int64_t CreditNode::balance(const std::string& user) {
    return resource_->accounts().find(store()->snapshot(), {user, "points"}).value().balance;
}

std::string CreditNode::fault_in_books() {
    const wal::Snapshot reader = store()->snapshot();
    const TableOf table_of = [this](std::string_view table) { return store()->table(table); };
    auto claimed = credit::Claims(table_of).by_account(Rows(reader));
    for (int user = 0; user < world.plan.users; ++user) {
        const credit::AccountName account_name{"u" + std::to_string(user), "points"};
        const credit::Account account = resource_->accounts().find(reader, account_name).value();
        std::int64_t entries = 0;
        for (const auto& entry :
             resource_->accounts().entries(reader, account_name, {}, 1'000'000).items)
            entries += entry.amount;
        const std::int64_t held = claimed[credit::account_key(account_name)].deductions;
        if (account.balance != entries) return "a balance is not the sum of its entries";
        if (account.frozen != held) return "what is frozen is not the sum of the holds";
        if (account.balance < account.frozen) return "more is frozen than there is";
    }
    return {};
}

std::int64_t CreditNode::held() {
    const wal::Snapshot reader = store()->snapshot();
    std::int64_t frozen = 0;
    for (int user = 0; user < world.plan.users; ++user)
        frozen +=
            resource_->accounts().find(reader, {"u" + std::to_string(user), "points"})->frozen;
    return frozen;
}

// --- coupon ---

std::vector<std::string> CouponNode::resource_tables() const { return coupon::Stock::tables(); }

Resource& CouponNode::make_resource(const TableOf& table_of) {
    return resource_.emplace(table_of, [this](const Moment&) {
        return "code" + std::to_string(world.chance.bits() % 1'000'000'000'000);
    });
}

void CouponNode::found(wal::Unit& unit, const Moment&) {
    resource_->stock().save(
        unit, "spring", {.name = "Spring", .stock = world.plan.stock, .per_user_limit = 0});
}

std::string CouponNode::fault_in_books() {
    const wal::Snapshot reader = store()->snapshot();
    const coupon::Template spring = resource_->stock().find(reader, "spring").value();
    std::int64_t reserved = 0;
    std::int64_t issued = 0;
    for (const auto& [code, coupon] : resource_->stock().all(reader))
        ++(coupon.state == coupon::CouponState::issued ? issued : reserved);
    if (spring.reserved != reserved) return "the count of reserved coupons is wrong";
    if (spring.issued != issued) return "the count of issued coupons is wrong";
    if (spring.available() < 0) return "more coupons than stock";
    return {};
}

std::int64_t CouponNode::held() {
    return resource_->stock().find(store()->snapshot(), "spring")->reserved;
}

}  // namespace twophase::simulation
