#include "participants/coupon/coupon_books.hpp"

#include "http/json.hpp"
#include "participants/branch_books.hpp"
#include "participants/operations.hpp"
#include "participants/record.hpp"

#include <map>
#include <tuple>
#include <utility>

namespace twophase::participants::coupon {
namespace {

constexpr std::size_t rows_in_page = 500;
constexpr std::size_t templates_in_page = 10'000;  // each page counts all coupons once

struct Counted {
    Template counters;
    std::int64_t reserved = 0;
    std::int64_t issued = 0;
};

Finding stock_finding(const std::string& template_id,
                      std::int64_t recorded,
                      std::int64_t counted,
                      const char* text) {
    Finding finding;
    finding.kind = "stock";
    finding.subject = finding.account_id = template_id;
    finding.recorded = recorded;
    finding.calculated = counted;
    finding.text = text;
    return finding;
}

Finding coupon_finding(const char* kind,
                       std::string_view code,
                       const Coupon& coupon,
                       const char* text) {
    Finding finding;
    finding.kind = kind;
    finding.subject = finding.account_id = code;
    finding.user_id = coupon.user_id;
    finding.gid = coupon.gid;
    finding.branch_id = coupon.branch_id;
    finding.recorded = 1;
    finding.text = text;
    return finding;
}

bool made_it(const Branch& branch, std::string_view code, CouponState state) {
    if (branch.note != code) return false;
    if (state == CouponState::reserved) return branch.state == BranchState::prepared;
    return branch.state == BranchState::committed || branch.state == BranchState::executed;
}

bool is_whole(const std::stop_token& stop, std::size_t rows) {
    return rows % 1'000 != 0 || !stop.stop_requested();
}

/// How many coupons a direct call made.
std::int64_t coupons_in(const std::string& results) {
    std::int64_t made = 0;
    const http::Json json = http::Json::parse(results, nullptr, false);
    if (!json.is_array()) return 0;
    for (const http::Json& result : json)
        if (result.is_object() && result.value("operation", "") == "create_coupon") ++made;
    return made;
}

}  // namespace

CouponBooks::CouponBooks(const TableOf& table_of)
    : templates_(table_of("templates")),
      coupons_(table_of("coupons")),
      issued_(table_of("issued")),
      branches_(table_of("branches")),
      coordinators_(table_of("coordinators")),
      operations_(table_of("operations")),
      stock_(table_of) {}

std::vector<BooksWalk> CouponBooks::walks() const {
    return {
        {"templates",
         [this](const wal::Reader& reader, const std::string& after, const std::stop_token& stop) {
             return check_templates(reader, after, stop);
         }},
        {"coupons",
         [this](const wal::Reader& reader, const std::string& after, const std::stop_token&) {
             return check_coupons(reader, after);
         }},
        {"issued",
         [this](const wal::Reader& reader, const std::string& after, const std::stop_token&) {
             return check_issued(reader, after);
         }},
        {"direct_coupons",
         [this](const wal::Reader& reader, const std::string&, const std::stop_token& stop) {
             return check_direct(reader, stop);
         }}};
}

BooksPage CouponBooks::check_templates(const wal::Reader& reader,
                                       const std::string& after,
                                       const std::stop_token& stop) const {
    std::map<std::string, Counted, std::less<>> counted;
    BooksPage page =
        walk_rows(reader,
                  templates_,
                  "templates",
                  after,
                  templates_in_page,
                  [&](std::string_view key, std::string_view value, std::vector<Finding>&) {
                      counted.emplace(key, Counted{.counters = decode<Template>(key, value)});
                  });
    std::size_t rows = 0;
    const Rows all(reader);
    all.scan(coupons_, "", "", [&](std::string_view key, std::string_view value) {
        try {
            const Coupon coupon = stock_.coupon_in(all, key, value);
            const auto found = counted.find(coupon.template_id);
            if (found != counted.end())
                ++(coupon.state == CouponState::issued ? found->second.issued
                                                       : found->second.reserved);
        } catch (const DamagedRecord&) {
            // check_coupons tells of it.
        }
        return is_whole(stop, ++rows);
    });
    for (const auto& [template_id, count] : counted) {
        if (count.counters.issued != count.issued)
            page.findings.push_back(stock_finding(template_id,
                                                  count.counters.issued,
                                                  count.issued,
                                                  "issued isn't the number of coupons issued"));
        if (count.counters.reserved != count.reserved)
            page.findings.push_back(stock_finding(template_id,
                                                  count.counters.reserved,
                                                  count.reserved,
                                                  "reserved isn't the number of coupons reserved"));
    }
    return page;
}

BooksPage CouponBooks::check_coupons(const wal::Reader& reader, const std::string& after) const {
    const Rows rows(reader);
    const std::string forgotten = forgotten_up_to(rows);
    return walk_rows(
        reader,
        coupons_,
        "coupons",
        after,
        rows_in_page,
        [&](std::string_view key, std::string_view value, std::vector<Finding>& findings) {
            check_coupon(rows, key, stock_.coupon_in(rows, key, value), forgotten, findings);
        });
}

BooksPage CouponBooks::check_issued(const wal::Reader& reader, const std::string& after) const {
    const Rows rows(reader);
    return walk_rows(
        reader,
        issued_,
        "issued",
        after,
        rows_in_page,
        [&](std::string_view key, std::string_view value, std::vector<Finding>& findings) {
            const std::string code = Stock::code_in(key, value);
            const auto row = rows.get(coupons_, code);
            const auto coupon = row ? decode<Coupon>(code, *row) : Coupon{};
            if (row && coupon.number == number_in(key)) return;
            findings.push_back(coupon_finding(
                "issued_without_coupon", code, coupon, "it counts as issued and isn't there"));
        });
}

/// A coupon doesn't say whose branch made it, so the highest mark of all coordinators counts.
std::string CouponBooks::forgotten_up_to(const Rows& rows) const {
    std::string highest;
    rows.scan(coordinators_, "", "", [&](std::string_view key, std::string_view value) {
        highest = std::max(highest, decode<Coordinator>(key, value).forgotten_up_to);
        return true;
    });
    return highest;
}

void CouponBooks::check_coupon(const Rows& rows,
                               std::string_view code,
                               const Coupon& coupon,
                               const std::string& forgotten_up_to,
                               std::vector<Finding>& findings) const {
    if (!rows.get(templates_, coupon.template_id))
        findings.push_back(
            coupon_finding("coupon_without_template", code, coupon, "its template is unknown"));
    if (coupon.gid.empty()) return;  // a direct call's: check_direct
    const auto branch = read<Branch>(rows, branches_, branch_key(coupon.gid, coupon.branch_id));
    if (branch && made_it(*branch, code, coupon.state)) return;
    // The branch of an issued coupon is forgotten one day, that of a reserved one never.
    const bool may_be_forgotten =
        !branch && coupon.state == CouponState::issued && coupon.gid <= forgotten_up_to;
    if (!may_be_forgotten)
        findings.push_back(coupon_finding(
            "coupon_without_branch", code, coupon, "no branch that this store knows made it"));
}

BooksPage CouponBooks::check_direct(const wal::Reader& reader, const std::stop_token& stop) const {
    const Rows rows(reader);
    std::int64_t coupons = 0;
    std::int64_t made = 0;
    std::size_t seen = 0;
    BooksPage page;
    rows.scan(coupons_, "", "", [&](std::string_view key, std::string_view value) {
        try {
            if (decode<Coupon>(key, value).gid.empty()) ++coupons;
        } catch (const DamagedRecord&) {
            // check_coupons tells of it.
        }
        return is_whole(stop, ++seen);
    });
    rows.scan(operations_, "", "", [&](std::string_view key, std::string_view value) {
        try {
            made += coupons_in(Operations::results_in(key, value));
        } catch (const DamagedRecord&) {
            page.findings.push_back(damaged_record("operations", key));
        }
        return is_whole(stop, ++seen);
    });
    page.checked = static_cast<std::size_t>(coupons);
    if (coupons != made) {
        Finding finding;
        finding.kind = "coupon_without_call";
        finding.subject = finding.account_id = "direct calls";
        finding.recorded = coupons;
        finding.calculated = made;
        finding.text = "there are more or fewer coupons of direct calls than those calls made";
        page.findings.push_back(std::move(finding));
    }
    return page;
}

void CouponBooks::check_branch(const Rows& rows,
                               std::string_view key,
                               const Branch& branch,
                               std::vector<Finding>& findings) const {
    const bool is_reserved = branch.state == BranchState::prepared;
    const bool is_issued =
        branch.state == BranchState::committed || branch.state == BranchState::executed;
    if (!is_reserved && !is_issued) return;
    const auto coupon = stock_.find_coupon(rows, branch.note);
    const CouponState wanted = is_issued ? CouponState::issued : CouponState::reserved;
    if (coupon && coupon->state == wanted && branch_key(coupon->gid, coupon->branch_id) == key)
        return;
    Finding finding;
    finding.kind = "branch_without_coupon";
    finding.subject = finding.account_id = key;
    std::tie(finding.gid, finding.branch_id) = split_branch_key(key);
    finding.calculated = 1;
    finding.text = "coupon " + branch.note + " of this branch isn't there";
    findings.push_back(std::move(finding));
}

}  // namespace twophase::participants::coupon
