// Coupon templates, their stock, and the coupons taken from it.
#pragma once

#include "participants/resource.hpp"
#include "participants/rows.hpp"
#include "wal/environment.hpp"
#include "wal/unit.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::participants::coupon {

inline constexpr std::int64_t most_stock = 1'000'000'000'000;
inline constexpr const char* id_characters = "A-Za-z0-9_.:@-";  // of templates and users

/// What can be had, and until when.
struct Template {
    std::string name;
    std::int64_t stock = 0;           // ever; available is what is neither reserved nor issued
    std::int64_t per_user_limit = 0;  // 0: none
    std::int64_t valid_from = 0;      // milliseconds since 1970; 0: always
    std::int64_t valid_until = 0;     // exclusive; 0: for ever
    std::int64_t reserved = 0;
    std::int64_t issued = 0;
    std::uint64_t version = 1;    // raised by every change of reserved or issued; see Unit
    std::int64_t created_at = 0;  // microseconds since 1970
    std::int64_t updated_at = 0;

    std::int64_t available() const { return stock - reserved - issued; }

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.name);
        visit(self.stock);
        visit(self.per_user_limit);
        visit(self.valid_from);
        visit(self.valid_until);
        visit(self.reserved);
        visit(self.issued);
        visit(self.version);
        visit(self.created_at);
        visit(self.updated_at);
    }
};

/// Stored as numbers: append only.
enum class CouponState : std::uint8_t { reserved = 1, issued = 2 };
const char* to_string(CouponState state);

/// One coupon of one user, named by its code. Its row is written once; that it was issued later
/// stands in `issued` by its number. (Codes that earlier builds gave are random: changing a hundred
/// rows means writing a hundred pages.)
struct Coupon {
    CouponState state = CouponState::reserved;
    std::string template_id;
    std::string user_id;
    std::string gid;
    std::string branch_id;
    std::uint64_t number = 0;      // its place in the user's list
    std::int64_t reserved_at = 0;  // microseconds since 1970
    std::int64_t issued_at = 0;    // 0: not yet

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.state);
        visit(self.template_id);
        visit(self.user_id);
        visit(self.gid);
        visit(self.branch_id);
        visit(self.number);
        visit(self.reserved_at);
        visit(self.issued_at);
    }
};

/// The coupon tables. Every function works inside one unit; none checks the business rules.
class Stock {
public:
    explicit Stock(const TableOf& table_of);
    static std::vector<std::string> tables();

    std::optional<Template> find(const wal::Unit& unit, std::string_view template_id) const;
    std::optional<Template> find(const wal::Reader& reader, std::string_view template_id) const;
    void save(wal::Unit& unit, std::string_view template_id, const Template& a_template) const;

    std::optional<Coupon> find_coupon(const Rows& rows, std::string_view code) const;
    /// The code of the coupon that this branch took; empty: there is none. Looks through all.
    std::string code_of(const Rows& rows, std::string_view gid, std::string_view branch_id) const;
    /// The coupon in a row of `coupons`, as it is now.
    Coupon coupon_in(const Rows& rows, std::string_view code, std::string_view value) const;
    /// How many of a template with a limit for each user one holds, reserved ones too. Of others it
    /// isn't counted: that would be a page written for each coupon.
    std::int64_t held_by(const wal::Unit& unit,
                         std::string_view template_id,
                         std::string_view user_id) const;

    /// Enters a coupon under a free code and counts it, as reserved or as issued.
    void add(wal::Unit& unit,
             const std::string& code,
             Coupon coupon,
             Template& a_template,
             const Moment& moment) const;
    /// A reserved coupon becomes an issued one.
    void issue(wal::Unit& unit,
               const std::string& code,
               const Coupon& coupon,
               Template& a_template,
               const Moment& moment) const;
    /// Returns a coupon to the stock.
    void remove(wal::Unit& unit,
                const std::string& code,
                const Coupon& coupon,
                Template& a_template,
                const Moment& moment) const;

    struct Listed {
        std::string code;
        Coupon coupon;
    };
    struct Page {
        std::vector<Listed> items;  // newest first
        std::optional<std::uint64_t> next;
    };
    /// Looks at a bounded number, so a page may hold fewer than there are below `next`.
    Page list(const wal::Reader& reader,
              std::string_view user_id,
              std::optional<CouponState> state,
              std::optional<std::uint64_t> before,
              std::size_t limit) const;
    /// For checks: every coupon.
    std::vector<Listed> all(const wal::Reader& reader) const;
    /// For checks: which coupon a row of `issued` is of.
    static std::string code_in(std::string_view key, std::string_view value);

private:
    void save_changed(wal::Unit& unit,
                      std::string_view template_id,
                      Template& a_template,
                      const Moment& moment) const;
    void count(wal::Unit& unit,
               const Coupon& coupon,
               const Template& a_template,
               std::int64_t change) const;

    wal::Table templates_;
    wal::Table coupons_;
    wal::Table issued_;
    wal::Table by_user_;
    wal::Table held_;
    wal::Table numbers_;
};

/// {"available":…,"issued":…,"reserved":…}, for the audit.
std::string state_of(const Template& a_template);

}  // namespace twophase::participants::coupon
