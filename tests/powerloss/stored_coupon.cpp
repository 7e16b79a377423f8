// Coupon's own tables: what a template says of itself against its coupons, and these against their
// branches.
#include "participants/coupon/coupon.hpp"
#include "participants/coupon/stock.hpp"
#include "participants/record.hpp"
#include "tests/powerloss/stored_books.hpp"
#include "tests/powerloss/stored_branches.hpp"

#include <limits>
#include <set>

namespace twophase::powerloss {
namespace {

using namespace participants;
using namespace participants::coupon;

std::string fault_of_coupon(const Contents& contents, const Coupon& coupon) {
    const auto found = contents.branches.find(branch_key(coupon.gid, coupon.branch_id));
    if (found == contents.branches.end()) return "a coupon without a branch: " + coupon.gid;
    const BranchState wanted =
        coupon.state == CouponState::issued ? BranchState::committed : BranchState::prepared;
    if (found->second.state != wanted) return "a coupon at odds with its branch: " + coupon.gid;
    return {};
}

std::string fault_of_template(std::string_view id,
                              const Template& a_template,
                              const std::vector<Stock::Listed>& coupons) {
    std::int64_t issued = 0, reserved = 0;
    for (const auto& [code, coupon] : coupons)
        if (coupon.template_id == id) ++(coupon.state == CouponState::issued ? issued : reserved);
    if (a_template.issued != issued) return "issued is not the number of coupons; ";
    if (a_template.reserved != reserved) return "reserved is not the number of coupons; ";
    return {};
}

std::string fault_of(const Contents& contents) {
    const Stock stock(contents.table_of);
    const auto coupons = stock.all(contents.reader);
    std::string fault;
    std::set<std::string> users;
    for (const auto& [code, coupon] : coupons) {
        fault += fault_of_coupon(contents, coupon);
        users.insert(coupon.user_id);
    }
    std::size_t listed = 0;
    constexpr std::size_t all = std::numeric_limits<std::size_t>::max();
    for (const std::string& user : users)
        listed += stock.list(contents.reader, user, std::nullopt, std::nullopt, all).items.size();
    if (listed != coupons.size()) fault += "the users' lists are not all coupons; ";
    std::size_t live = 0;
    for (const auto& [key, branch] : contents.branches)
        live += branch.state == BranchState::prepared || branch.state == BranchState::committed;
    if (live != coupons.size()) fault += "a branch without its coupon; ";
    for_each_row(contents.reader,
                 contents.table_of("templates"),
                 [&](std::string_view key, std::string_view value) {
                     fault += fault_of_template(key, decode<Template>(key, value), coupons);
                 });
    return fault;
}

}  // namespace

BranchBooks read_coupon(const std::filesystem::path& store) {
    return read_branches(store, "coupon", CouponKind().tables(), fault_of);
}

}  // namespace twophase::powerloss
