// An account in HTTP: its name in a path, its JSON with an ETag, what a request says of its version
// and its lock. Included by .cpp files only.
#pragma once

#include "http/json.hpp"
#include "http/message.hpp"
#include "participants/credit/accounts.hpp"

#include <cstdint>
#include <optional>

namespace twophase::participants::credit {

http::Json to_json(const AccountName& name, const Account& account);

/// The account, with its version as the ETag.
http::Response account_response(const AccountName& name,
                                const Account& account,
                                unsigned status = 200);

/// 404 `account_not_found`.
http::Response no_account();

/// The account that `json` names and no more; an error names the field.
struct NamedAccount {
    AccountName name;
    std::optional<http::FieldError> error;
};
NamedAccount read_name(const http::Value& json);
/// The account that the path names.
NamedAccount name_in_path(const http::Request& request);

/// A header that is a number; neither is set when it isn't there.
struct HeaderNumber {
    std::optional<std::uint64_t> value;
    std::optional<http::FieldError> error;
};
/// The version in `If-Match: "<version>"`: one strong tag as `ETag` gives it.
HeaderNumber read_if_match(const http::Request& request);
/// The fencing token in `Lock-Token: <n>`.
HeaderNumber read_lock_token(const http::Request& request);

}  // namespace twophase::participants::credit
