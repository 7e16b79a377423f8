// JSON text kept as it was written: where the values stand in a text that read_json() has taken.
// A number is only what its digits say, and who signs a text signs its blanks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace twophase::http {

/// Goes over the members or items of one container, in the order of the text. No other text than a
/// container has any. Of what is no JSON the pieces mean nothing, but lie within the text.
///
///     RawMembers members(request.body);
///     while (const auto member = members.next()) use(member->name, member->value);
class RawMembers {
public:
    struct Member {
        std::string_view name;  // in its quotes, with its escapes; empty in an array
        std::string_view value;
    };

    explicit RawMembers(std::string_view container);

    std::optional<Member> next();

private:
    std::string_view rest_;
    bool is_object_ = false;
};

/// The text of the member with this (unescaped) name; empty when there is none.
std::string_view raw_member(std::string_view object, std::string_view name);

/// What a JSON string, given in its quotes, means.
std::string unescaped(std::string_view quoted);

/// The same text without the blanks between its tokens: fits on one line.
std::string without_blanks(std::string_view json);

}  // namespace twophase::http
