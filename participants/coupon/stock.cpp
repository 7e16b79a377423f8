#include "participants/coupon/stock.hpp"

#include "participants/record.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace twophase::participants::coupon {
namespace {

struct Held {
    std::int64_t coupons = 0;

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.coupons);
    }
};

/// No id holds a slash.
std::string held_key(std::string_view template_id, std::string_view user_id) {
    return std::string(template_id).append("/").append(user_id);
}

std::string prefix_of(std::string_view user_id) { return std::string(user_id) + "/"; }

std::string user_key(std::string_view user_id, std::uint64_t number) {
    return prefix_of(user_id) + key_of(number);
}

/// When a coupon that was reserved first was issued, by its number.
struct Issue {
    std::string code;
    std::int64_t at = 0;  // microseconds since 1970

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.code);
        visit(self.at);
    }
};

/// A user's list holds codes; the key's number guards against a mix-up.
struct Code {
    std::string code;

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.code);
    }
};

}  // namespace

const char* to_string(CouponState state) {
    return state == CouponState::issued ? "issued" : "reserved";
}

std::string state_of(const Template& a_template) {
    return "{\"available\":" + std::to_string(a_template.available()) +
           ",\"issued\":" + std::to_string(a_template.issued) +
           ",\"reserved\":" + std::to_string(a_template.reserved) + "}";
}

Stock::Stock(const TableOf& table_of)
    : templates_(table_of("templates")),
      coupons_(table_of("coupons")),
      issued_(table_of("issued")),
      by_user_(table_of("coupons_by_user")),
      held_(table_of("held")),
      numbers_(table_of("numbers")) {}

std::vector<std::string> Stock::tables() {
    return {"templates", "coupons", "issued", "coupons_by_user", "held"};
}

std::optional<Template> Stock::find(const wal::Unit& unit, std::string_view template_id) const {
    return read<Template>(unit, templates_, template_id);
}

std::optional<Template> Stock::find(const wal::Reader& reader, std::string_view template_id) const {
    return read<Template>(reader, templates_, template_id);
}

void Stock::save(wal::Unit& unit, std::string_view template_id, const Template& a_template) const {
    // The rules never lead here; counters that aren't what was written may. They hold up those who
    // use this template, not the program.
    const bool is_sound =
        a_template.reserved >= 0 && a_template.issued >= 0 && a_template.available() >= 0;
    if (!is_sound) throw DamagedRecord(template_id);
    write(unit, templates_, template_id, a_template);
}

std::optional<Coupon> Stock::find_coupon(const Rows& rows, std::string_view code) const {
    const auto value = rows.get(coupons_, code);
    if (!value) return std::nullopt;
    return coupon_in(rows, code, *value);
}

std::string Stock::code_of(const Rows& rows,
                           std::string_view gid,
                           std::string_view branch_id) const {
    std::string found;
    rows.scan(coupons_, "", "", [&](std::string_view code, std::string_view value) {
        try {
            const Coupon coupon = decode<Coupon>(code, value);
            if (coupon.gid == gid && coupon.branch_id == branch_id) found = code;
        } catch (const DamagedRecord&) {
            // Not this one, as far as anybody can tell.
        }
        return found.empty();
    });
    return found;
}

Coupon Stock::coupon_in(const Rows& rows, std::string_view code, std::string_view value) const {
    Coupon coupon = decode<Coupon>(code, value);
    if (coupon.state == CouponState::issued) return coupon;
    const auto issue = read<Issue>(rows, issued_, key_of(coupon.number));
    if (!issue) return coupon;
    if (issue->code != code) throw DamagedRecord(code);
    coupon.state = CouponState::issued;
    coupon.issued_at = issue->at;
    return coupon;
}

std::string Stock::code_in(std::string_view key, std::string_view value) {
    return decode<Issue>(key, value).code;
}

std::int64_t Stock::held_by(const wal::Unit& unit,
                            std::string_view template_id,
                            std::string_view user_id) const {
    const std::string key = held_key(template_id, user_id);
    return read<Held>(unit, held_, key).value_or(Held{}).coupons;
}

void Stock::add(wal::Unit& unit,
                const std::string& code,
                Coupon coupon,
                Template& a_template,
                const Moment& moment) const {
    coupon.number = next_number(unit, numbers_, "coupon");
    coupon.reserved_at = moment.microseconds;
    const bool is_issued = coupon.state == CouponState::issued;
    if (is_issued) coupon.issued_at = moment.microseconds;
    ++(is_issued ? a_template.issued : a_template.reserved);
    write(unit, coupons_, code, coupon);
    write(unit, by_user_, user_key(coupon.user_id, coupon.number), Code{code});
    count(unit, coupon, a_template, 1);
    save_changed(unit, coupon.template_id, a_template, moment);
}

void Stock::issue(wal::Unit& unit,
                  const std::string& code,
                  const Coupon& coupon,
                  Template& a_template,
                  const Moment& moment) const {
    assert(coupon.state == CouponState::reserved);
    --a_template.reserved;
    ++a_template.issued;
    write(unit, issued_, key_of(coupon.number), Issue{.code = code, .at = moment.microseconds});
    save_changed(unit, coupon.template_id, a_template, moment);
}

void Stock::remove(wal::Unit& unit,
                   const std::string& code,
                   const Coupon& coupon,
                   Template& a_template,
                   const Moment& moment) const {
    --(coupon.state == CouponState::issued ? a_template.issued : a_template.reserved);
    unit.erase(coupons_, code);
    if (coupon.state == CouponState::issued) unit.erase(issued_, key_of(coupon.number));
    unit.erase(by_user_, user_key(coupon.user_id, coupon.number));
    count(unit, coupon, a_template, -1);
    save_changed(unit, coupon.template_id, a_template, moment);
}

void Stock::count(wal::Unit& unit,
                  const Coupon& coupon,
                  const Template& a_template,
                  std::int64_t change) const {
    if (a_template.per_user_limit == 0) return;  // for ever: a template's limit doesn't change
    const std::string key = held_key(coupon.template_id, coupon.user_id);
    Held held = read<Held>(unit, held_, key).value_or(Held{});
    held.coupons += change;
    if (held.coupons < 0) throw DamagedRecord(key);
    if (held.coupons == 0)
        unit.erase(held_, key);
    else
        write(unit, held_, key, held);
}

void Stock::save_changed(wal::Unit& unit,
                         std::string_view template_id,
                         Template& a_template,
                         const Moment& moment) const {
    a_template.version = std::max(a_template.version, unit.numbers_above()) + 1;
    a_template.updated_at = moment.microseconds;
    save(unit, template_id, a_template);
}

Stock::Page Stock::list(const wal::Reader& reader,
                        std::string_view user_id,
                        std::optional<CouponState> state,
                        std::optional<std::uint64_t> before,
                        std::size_t limit) const {
    constexpr std::size_t most_looked_at = 5'000;
    Page page;
    const std::string prefix = prefix_of(user_id);
    wal::Cursor cursor = reader.cursor(by_user_);
    bool is_there = cursor.seek_before(before ? user_key(user_id, *before) : end_of(prefix));
    std::uint64_t last = 0;
    for (std::size_t looked = 0; is_there && cursor.key().starts_with(prefix); ++looked) {
        if (page.items.size() == limit || looked == most_looked_at) {
            page.next = last;
            break;
        }
        last = number_in(cursor.key());
        std::string code = decode<Code>(cursor.key(), cursor.value()).code;
        auto coupon = find_coupon(Rows(reader), code);
        if (!coupon) throw DamagedRecord(cursor.key());
        if (!state || coupon->state == *state)
            page.items.push_back({std::move(code), std::move(*coupon)});
        is_there = cursor.previous();
    }
    return page;
}

std::vector<Stock::Listed> Stock::all(const wal::Reader& reader) const {
    std::vector<Listed> coupons;
    wal::Cursor cursor = reader.cursor(coupons_);
    for (bool is_there = cursor.first(); is_there; is_there = cursor.next())
        coupons.push_back(
            {std::string(cursor.key()), coupon_in(Rows(reader), cursor.key(), cursor.value())});
    return coupons;
}

}  // namespace twophase::participants::coupon
