// The list of branches in doubt, which coordinators sweep.
#include "http/instant.hpp"
#include "http/text.hpp"
#include "tests/conformance/checks.hpp"

#include <algorithm>
#include <set>

namespace twophase::conformance {
namespace {

bool has(const Answer& page, const Branch& branch) {
    return std::ranges::any_of(page.items, [&](const Answer& item) {
        return item.gid == branch.gid && item.branch_id == branch.branch_id;
    });
}

void lists_the_prepared(Session& s) {
    const auto [branch, yes] = s.prepared();
    const Branch never = s.fresh();
    expect(s.is_in_doubt(branch), s.in_doubt_page(""), "that " + branch.gid + " is listed");
    expect(!s.is_in_doubt(never), s.in_doubt_page(""), "only branches that are in doubt");
}

void drops_the_ended(Session& s) {
    const Begun committed = s.prepared();
    const Begun rolled_back = s.prepared();
    expect_state(s.send(s.commit_of(committed)), "committed");
    expect(!s.is_in_doubt(committed.branch),
           s.in_doubt_page(""),
           "that committed " + committed.branch.gid + " is gone");
    expect_state(s.rollback(rolled_back.branch), "rolled_back");
    expect(!s.is_in_doubt(rolled_back.branch),
           s.in_doubt_page(""),
           "that rolled back " + rolled_back.branch.gid + " is gone");
    const Branch tombstone = s.fresh();
    expect_state(s.rollback(tombstone), "rolled_back");
    expect(!s.is_in_doubt(tombstone), s.in_doubt_page(""), "that a tombstone is not in doubt");
}

void pages(Session& s) {
    std::set<std::string> missing;
    for (int i = 0; i < 3; ++i) missing.insert(s.prepared().branch.gid);
    const std::string query = "coordinator=" + s.options().coordinator + "&limit=1";
    std::set<std::string> cursors;
    std::string after;
    do {
        const Answer page = s.in_doubt_page(query + (after.empty() ? "" : "&after=" + after));
        expect(page.items.size() <= 1, page, "at most 1 item, which was the limit");
        for (const Answer& item : page.items) missing.erase(item.gid);
        expect(cursors.insert(page.next).second, page, "a `next` that goes on");
        after = http::percent_encode(page.next);
        const bool is_last = page.next.empty();
        if (is_last && !missing.empty())
            expect(false, page, "that " + *missing.begin() + " was on one of the pages");
    } while (!after.empty());
}

void filters_by_coordinator(Session& s) {
    const Branch branch = s.prepared().branch;
    const std::string mine = "coordinator=" + s.options().coordinator;
    expect(s.is_in_doubt(branch), s.in_doubt_page(mine), "that " + branch.gid + " is listed");
    const Answer others = s.in_doubt_page("coordinator=" + s.options().coordinator + "-unknown");
    expect(others.items.empty(), others, "nothing: that coordinator has no branch here");
}

void filters_by_age(Session& s) {
    const Branch branch = s.prepared().branch;
    const std::string query =
        "limit=500&coordinator=" + s.options().coordinator + "&prepared_before=";
    const Answer old = s.in_doubt_page(query + http::instant_text(1));
    expect(old.items.empty(), old, "nothing: no branch is from before 1970");
    // A year ahead, so that clocks may differ.
    const std::uint64_t ahead = s.epoch() + 365ULL * 24 * 3600 * 1'000'000;
    const Answer all =
        s.in_doubt_page(query + http::instant_text(static_cast<std::int64_t>(ahead)));
    expect(has(all, branch), all, "that " + branch.gid + " is listed");
}

}  // namespace

std::vector<Check> in_doubt_checks() {
    constexpr const char* list =
        "GET {base}/in-doubt?coordinator=&prepared_before=&after=&limit= → "
        R"({"items":[…],"next"})";
    return {
        {.group = "in-doubt",
         .name = "in-doubt-listed",
         .claim = "a promised branch is in the list of those in doubt",
         .contract = list,
         .why =
             "a coordinator that lost a transaction finds what it left behind by this list alone",
         .run = lists_the_prepared},
        {.group = "in-doubt",
         .name = "in-doubt-ended",
         .claim = "what was committed or rolled back is no longer in it",
         .contract = list,
         .why = "the coordinator would look into each of them at every sweep",
         .run = drops_the_ended},
        {.group = "in-doubt",
         .name = "in-doubt-pages",
         .claim = "following `next` with limit=1 shows each branch, and ends",
         .contract = list,
         .why =
             "after an outage the list is long; a sweep that can't get to its end leaves branches "
             "held",
         .run = pages},
        {.group = "in-doubt",
         .name = "in-doubt-coordinator",
         .claim = "coordinator= shows that coordinator's branches only",
         .contract = list,
         .why = "several coordinators share a participant, and none may end another's branches",
         .run = filters_by_coordinator},
        {.group = "in-doubt",
         .name = "in-doubt-age",
         .claim = "prepared_before= (RFC 3339) shows older branches only",
         .contract = list,
         .why = "young branches are under way, and not worth a question each",
         .run = filters_by_age},
    };
}

}  // namespace twophase::conformance
