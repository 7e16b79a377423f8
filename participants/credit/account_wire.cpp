#include "participants/credit/account_wire.hpp"

#include "http/fields.hpp"
#include "http/instant.hpp"
#include "http/problem.hpp"
#include "http/text.hpp"

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::participants::credit {
namespace {

using http::Fields;
using http::Json;

std::vector<std::string_view> values_of(const http::Request& request, std::string_view name) {
    std::vector<std::string_view> values;
    for (const http::Header& header : request.headers)
        if (http::equal_ignoring_case(header.name, name)) values.emplace_back(header.value);
    return values;
}

/// Digits as we write them: no sign, no leading zero, nothing behind.
std::optional<std::uint64_t> plain_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    if (text.size() > 1 && text.front() == '0') return std::nullopt;
    return number;
}

std::optional<std::string_view> without_quotes(std::string_view text) {
    if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::nullopt;
    return text.substr(1, text.size() - 2);
}

}  // namespace

Json to_json(const AccountName& name, const Account& account) {
    return {{"user_id", name.user_id},
            {"credit_type", name.credit_type},
            {"account_id", std::to_string(account.account_id)},
            {"balance", account.balance},
            {"frozen", account.frozen},
            {"available", account.available()},
            {"version", account.version},
            {"created_at", http::instant_text(account.created_at)},
            {"updated_at", http::instant_text(account.updated_at)}};
}

http::Response account_response(const AccountName& name, const Account& account, unsigned status) {
    http::Response response = http::json_response(to_json(name, account), status);
    response.headers.push_back({"ETag", "\"" + std::to_string(account.version) + "\""});
    return response;
}

http::Response no_account() {
    return http::problem(404, "account_not_found", "no account of this user and credit type");
}

NamedAccount read_name(const http::Value& json) {
    constexpr Fields::Text user_rule{.max_bytes = 128, .allowed = user_characters};
    constexpr Fields::Text type_rule{.max_bytes = 64, .allowed = user_characters};
    NamedAccount read;
    Fields fields(json);
    read.name.user_id = fields.text("user_id", user_rule);
    read.name.credit_type = fields.text("credit_type", type_rule);
    read.error = fields.finish();
    return read;
}

NamedAccount name_in_path(const http::Request& request) {
    const Json name{{"user_id", request.parameter("user_id")},
                    {"credit_type", request.parameter("credit_type")}};
    return read_name(http::document_of(name).root());
}

HeaderNumber read_if_match(const http::Request& request) {
    const auto values = values_of(request, "If-Match");
    if (values.empty()) return {};
    HeaderNumber read;
    const auto tag = without_quotes(values.front());
    if (tag && values.size() == 1) read.value = plain_number(*tag);
    if (!read.value)
        read.error = http::FieldError{
            "If-Match",
            "one version in quotes, as the account's ETag gives it, such as \"7\"; no *, no "
            "weak tag (W/) and no list, as a balance is set on top of one version only"};
    return read;
}

HeaderNumber read_lock_token(const http::Request& request) {
    const auto values = values_of(request, "Lock-Token");
    if (values.empty()) return {};
    HeaderNumber read;
    if (values.size() == 1) read.value = plain_number(values.front());
    if (!read.value)
        read.error = http::FieldError{"Lock-Token", "the lock_token that the lock was given with"};
    return read;
}

}  // namespace twophase::participants::credit
