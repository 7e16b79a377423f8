#include "tests/powerloss/fleet_checker.hpp"

#include "coordinator/protocol/gid.hpp"
#include "tests/faults/load.hpp"
#include "tests/powerloss/appended.hpp"
#include "tests/powerloss/capture.hpp"

#include <algorithm>
#include <optional>
#include <sstream>

namespace twophase::powerloss {
namespace {

using coordinator::Decision;
using coordinator::Folded;
using coordinator::How;
using participants::BranchState;

std::optional<BranchState> state_in(const BranchBooks& books, const std::string& gid) {
    const auto found = books.branches.find(gid);
    return found == books.branches.end() ? std::nullopt : std::optional(found->second);
}

bool is_promised_or_done(std::optional<BranchState> state) {
    return state == BranchState::prepared || state == BranchState::committed;
}

/// One branch against what the log says of its transaction. `logged` is null where it says nothing.
std::string fault_of_branch(const Folded* logged,
                            const std::string& participant,
                            std::optional<BranchState> state) {
    const bool is_commit = logged != nullptr && logged->decision == Decision::commit;
    if (state == BranchState::committed && !is_commit) return "committed without a decision";
    if (is_commit && !is_promised_or_done(state)) return "decided to commit, its yes is lost";
    if (logged == nullptr) return {};
    for (std::size_t i = 0; i < logged->branches.size(); ++i) {
        if (logged->started.branches[i].participant != participant) continue;
        const auto& how = logged->branches[i].how;
        if (how == How::committed && state != BranchState::committed) return "its commit is lost";
        if (how == How::rolled_back && state != BranchState::rolled_back)
            return "its rollback is lost";
    }
    return {};
}

/// See open_books(): the answers to it were promises too.
std::string fault_of_opening(const BranchBooks& credit, const BranchBooks& coupon) {
    const std::size_t users = faults::Load::users;
    if (credit.rows.at("accounts") != users + 1) return "an account is lost; ";
    if (credit.rows.at("direct_calls") != users) return "a grant is lost; ";
    if (coupon.rows.at("templates") != 1) return "the template is lost; ";
    return {};
}

std::string fault_of_told(const Told& told,
                          const Folded* logged,
                          std::optional<BranchState> credit,
                          std::optional<BranchState> coupon) {
    if (logged == nullptr || !logged->decision) return "told " + told.decision + ", not decided";
    if (coordinator::to_text(*logged->decision) != told.decision)
        return "told " + told.decision + ", decided otherwise";
    if (logged->started.key.id != told.business_id) return "told another business id";
    if (told.decision == "rollback") return {};
    if (credit != BranchState::committed || coupon != BranchState::committed)
        return "told committed, not committed everywhere";
    return {};
}

}  // namespace

std::string told_note(const std::string& gid, const Told& told) {
    return "told " + gid + " " + told.decision + " " + told.business_id;
}

void FleetChecker::note(const std::string& text) {
    std::istringstream words(text);
    std::string word;
    words >> word;
    if (word == ready_note) is_ready_ = true;
    if (word == opened_books_note) has_books_ = true;
    if (word == opened_note) words >> epoch_;
    if (word != "told") return;
    std::string gid;
    Told told;
    words >> gid >> told.decision >> told.business_id;
    told_.emplace(gid, told);
}

Verdict FleetChecker::check(const std::filesystem::path& root) const try {
    const BranchBooks credit = read_credit(root / "credit-participant");
    const BranchBooks coupon = read_coupon(root / "coupon-participant");
    const LogBooks log = read_log(root / "coordinator");
    Capture::instance().note(note_of(opened_note, log.epoch));
    std::string fault = fault_of(log, credit, coupon);
    if (has_books_) fault += fault_of_opening(credit, coupon);
    const auto add = [&](const char* where, const std::string& inside) {
        if (!inside.empty()) fault += std::string(where) + ": " + inside;
    };
    add("credit", credit.fault);
    add("coupon", coupon.fault);
    add("log", log.fault);
    return {fault};
} catch (const wal::StoreError& error) {
    if (is_ready_) return {"does not open: " + std::string(error.what())};
    return {.fault = "", .is_refused = true};
}

std::string FleetChecker::fault_of(const LogBooks& log,
                                   const BranchBooks& credit,
                                   const BranchBooks& coupon) const {
    std::string faults;
    if (log.epoch <= std::max({epoch_, credit.coordinator_epoch, coupon.coordinator_epoch}))
        faults += "the epoch did not grow; ";
    std::map<std::string, const Folded*> gids;
    for (const BranchBooks* books : {&credit, &coupon})
        for (const auto& [gid, state] : books->branches) gids.emplace(gid, nullptr);
    for (const auto& [gid, told] : told_) gids.emplace(gid, nullptr);
    for (const auto& [gid, logged] : log.transactions) gids[gid] = &logged;

    for (const auto& [gid, logged] : gids) {
        const auto at_credit = state_in(credit, gid);
        const auto at_coupon = state_in(coupon, gid);
        const auto add = [&, &gid = gid](const std::string& who, const std::string& fault) {
            if (!fault.empty()) faults += gid + " " + who + ": " + fault + "; ";
        };
        add("credit", fault_of_branch(logged, "credit", at_credit));
        add("coupon", fault_of_branch(logged, "coupon", at_coupon));
        const auto told = told_.find(gid);
        if (told != told_.end())
            add("client", fault_of_told(told->second, logged, at_credit, at_coupon));
        // Otherwise a later start might use it once more.
        if (coordinator::milliseconds_of(*coordinator::parse_gid(gid)) >= log.gid_ceiling)
            add("gid", "is not below the durable ceiling");
    }
    return faults;
}

}  // namespace twophase::powerloss
