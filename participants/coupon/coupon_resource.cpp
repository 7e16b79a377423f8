#include "participants/coupon/coupon_resource.hpp"

#include "http/fields.hpp"
#include "http/json_text.hpp"
#include "participants/branch.hpp"
#include "participants/record.hpp"

#include <array>
#include <cerrno>
#include <sys/random.h>
#include <system_error>

namespace twophase::participants::coupon {
namespace {

using http::Fields;

struct Request {
    std::string template_id;
    std::string user_id;
    std::optional<Refusal> refusal;
};

Request read_request(const Work& work) {
    Request request;
    if (work.operation != "create_coupon") {
        request.refusal = unknown_operation(work.operation);
        return request;
    }
    if (work.lock_token) {
        request.refusal = invalid_payload("lock_token", "none: there are no locks here");
        request.refusal->field = "lock_token";
        return request;
    }
    const auto json = http::read_json(work.payload);
    if (!json) {
        request.refusal = invalid_payload(json.error().field, json.error().expected);
        return request;
    }
    Fields fields(json->root());
    request.template_id = fields.text("template_id", {.max_bytes = 64, .allowed = id_characters});
    request.user_id = fields.text("user_id", {.max_bytes = 128, .allowed = id_characters});
    if (const auto& error = fields.finish())
        request.refusal = invalid_payload(error->field, error->expected);
    return request;
}

std::optional<Refusal> check(const std::optional<Template>& a_template,
                             std::int64_t held,
                             const Moment& moment) {
    if (!a_template) return refused("template_not_found", "no such template");
    const std::int64_t now = moment.microseconds / 1'000;
    if (a_template->valid_from != 0 && now < a_template->valid_from)
        return refused("not_yet_valid", "coupons of this template can't be had yet");
    if (a_template->valid_until != 0 && now >= a_template->valid_until)
        return refused("no_longer_valid", "coupons of this template can't be had any more");
    if (a_template->available() < 1) return refused("out_of_stock", "no coupon is left");
    if (a_template->per_user_limit != 0 && held >= a_template->per_user_limit)
        return refused("user_limit", "this user has as many as one may have");
    return std::nullopt;
}

Step refuse(Refusal refusal, Change change = {}) {
    return {.refusal = std::move(refusal), .result = "", .note = "", .change = std::move(change)};
}

std::string result_of(const std::string& code, const Coupon& coupon) {
    // A coupon is named by its code: coupon_id is what operation logs and references look for.
    std::string text;
    http::ObjectText object(text);
    object.text("coupon_code", code);
    object.text("coupon_id", code);
    object.text("template_id", coupon.template_id);
    object.text("user_id", coupon.user_id);
    object.close();
    return text;
}

/// A promised branch's coupon and its template.
struct Promised {
    Coupon coupon;
    Template a_template;
    Change change;
};

Promised find_promised(const Stock& stock, const wal::Unit& unit, const Work& work) {
    auto coupon = stock.find_coupon(Rows(unit), work.note);
    if (!coupon || coupon->gid != work.gid || coupon->branch_id != work.branch_id)
        throw DamagedRecord(branch_key(work.gid, work.branch_id));
    auto a_template = stock.find(unit, coupon->template_id);
    if (!a_template) throw DamagedRecord(coupon->template_id);
    Change change;
    change.user_id = coupon->user_id;
    change.amount = 1;
    change.transaction_id = work.note;
    change.before_state = state_of(*a_template);
    return {std::move(*coupon), std::move(*a_template), std::move(change)};
}

}  // namespace

std::string new_code(const Moment& moment) {
    constexpr std::string_view base32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    constexpr int bits = 5;
    constexpr std::size_t of_time = 10;
    std::string code(of_time, base32[0]);
    auto milliseconds = static_cast<std::uint64_t>(moment.microseconds / 1'000);
    for (std::size_t i = of_time; i-- > 0; milliseconds >>= bits)
        code[i] = base32[milliseconds % base32.size()];
    std::array<unsigned char, 16> bytes{};
    std::size_t filled = 0;
    while (filled < bytes.size()) {
        const ssize_t got = ::getrandom(bytes.data() + filled, bytes.size() - filled, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw std::system_error(errno, std::generic_category(), "getrandom");
        filled += static_cast<std::size_t>(got);
    }
    for (const unsigned char byte : bytes) code.push_back(base32[byte % base32.size()]);
    return code;
}

Step CouponResource::take(wal::Unit& unit,
                          const Work& work,
                          const Moment& moment,
                          CouponState state) const {
    Request request = read_request(work);
    if (request.refusal) return refuse(std::move(*request.refusal));
    auto a_template = stock_.find(unit, request.template_id);
    Change change;
    change.user_id = request.user_id;
    change.amount = 1;
    if (a_template) change.before_state = change.after_state = state_of(*a_template);
    const bool is_limited = a_template && a_template->per_user_limit != 0;
    const std::int64_t held =
        is_limited ? stock_.held_by(unit, request.template_id, request.user_id) : 0;
    if (auto refusal = check(a_template, held, moment))
        return refuse(std::move(*refusal), std::move(change));

    std::string code = make_code_(moment);
    while (stock_.find_coupon(Rows(unit), code)) code = make_code_(moment);
    Coupon coupon;
    coupon.state = state;
    coupon.template_id = request.template_id;
    coupon.user_id = request.user_id;
    coupon.gid = work.gid;
    coupon.branch_id = work.branch_id;
    stock_.add(unit, code, coupon, *a_template, moment);
    change.transaction_id = code;
    change.after_state = state_of(*a_template);
    const bool is_issued = state == CouponState::issued;
    return {.refusal = {},
            .result = is_issued ? result_of(code, coupon) : "",
            .note = code,
            .change = std::move(change)};
}

Step CouponResource::give_back(wal::Unit& unit, const Work& work, const Moment& moment) const {
    Promised promised = find_promised(stock_, unit, work);
    stock_.remove(unit, work.note, promised.coupon, promised.a_template, moment);
    promised.change.after_state = state_of(promised.a_template);
    return {.refusal = {}, .result = "", .note = "", .change = std::move(promised.change)};
}

std::string CouponResource::note_of(const Rows& rows,
                                    const Work& work,
                                    const std::string& result) const {
    const auto json = http::read_json(result);
    const http::Value* code = json ? json->root().find("coupon_id") : nullptr;
    if (code != nullptr) return std::string(code->text());
    return stock_.code_of(rows, work.gid, work.branch_id);
}

Step CouponResource::prepare(wal::Unit& unit, const Work& work, const Moment& moment) {
    return take(unit, work, moment, CouponState::reserved);
}

Step CouponResource::commit(wal::Unit& unit, const Work& work, const Moment& moment) {
    Promised promised = find_promised(stock_, unit, work);
    stock_.issue(unit, work.note, promised.coupon, promised.a_template, moment);
    promised.change.after_state = state_of(promised.a_template);
    return {.refusal = {},
            .result = result_of(work.note, promised.coupon),
            .note = "",
            .change = std::move(promised.change)};
}

Step CouponResource::rollback(wal::Unit& unit, const Work& work, const Moment& moment) {
    return give_back(unit, work, moment);
}

Step CouponResource::execute(wal::Unit& unit, const Work& work, const Moment& moment) {
    return take(unit, work, moment, CouponState::issued);
}

Step CouponResource::compensate(wal::Unit& unit, const Work& work, const Moment& moment) {
    return give_back(unit, work, moment);
}

}  // namespace twophase::participants::coupon
