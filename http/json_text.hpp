// JSON text written member by member, where a tree would be made only to be written.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace twophase::http {

/// Appends `text` as a JSON string, as dump() writes it. Throws on invalid UTF-8, which is a broken
/// invariant here: what comes from outside has been checked.
void append_quoted(std::string& to, std::string_view text);

/// Appends one object to a text; members come in the order of the calls. Ends with close().
class ObjectText {
public:
    explicit ObjectText(std::string& to) : to_(to) { to_ += '{'; }

    void text(std::string_view name, std::string_view value) {
        begin(name);
        append_quoted(to_, value);
    }
    void number(std::string_view name, std::integral auto value) {
        begin(name);
        to_ += std::to_string(value);
    }
    /// `json`: JSON text that we wrote ourselves.
    void raw(std::string_view name, std::string_view json) {
        begin(name);
        to_ += json;
    }
    /// Where the caller appends the value itself.
    void begin(std::string_view name);
    void close() { to_ += '}'; }

private:
    std::string& to_;
    bool is_empty_ = true;
};

}  // namespace twophase::http
