#include "coordinator/introduction.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace twophase::coordinator {
namespace {

using http::Value;

std::optional<std::uint64_t> number_in(const Value& object, const char* name) {
    const Value* found = object.find(name);
    const auto number = found ? found->exact_integer() : std::nullopt;
    if (!number || *number < 0) return std::nullopt;
    return static_cast<std::uint64_t>(*number);
}

std::string_view text_in(const Value& object, const char* name) {
    const Value* found = object.find(name);
    return found && found->is_text() ? found->text() : std::string_view();
}

/// Whoever knows a log without having heard of a start of it tells of none.
std::optional<Seen> read_object(const Value& object) {
    const auto log = wal::parse_token(text_in(object, "log"));
    const auto epoch = number_in(object, "epoch");
    const auto position = number_in(object, "position");
    if (!log || !epoch || !position) return std::nullopt;
    Seen seen{.log = *log, .epoch = *epoch, .position = *position};
    seen.start = wal::parse_token(text_in(object, "start")).value_or(wal::Token{});
    seen.began_at = number_in(object, "began_at").value_or(0);
    const Value* replaces = object.find("replaces");
    if (replaces == nullptr || !replaces->is_array()) return seen;
    for (const Value& each : *replaces)
        if (const auto replaced = wal::parse_token(each.is_text() ? each.text() : ""))
            seen.replaces.push_back(*replaced);
    return seen;
}

std::string_view take_word(std::string_view& text) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return word;
}

std::optional<std::uint64_t> to_number(std::string_view word) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
    return number;
}

}  // namespace

bool Seen::does_replace(const wal::Token& other) const {
    return std::ranges::find(replaces, other) != replaces.end();
}

std::optional<Introduction> read_introduction(const Value& body, const std::string& nonce) {
    const Value* known = body.find("known");
    if (known == nullptr) return Introduction{};
    const Value* store = body.find("store");
    if (text_in(body, "nonce") != nonce || store == nullptr) return std::nullopt;
    const auto its_store = read_object(*store);
    if (!its_store) return std::nullopt;
    Introduction introduction{.is_foreign = false, .known = std::nullopt, .store = *its_store};
    if (const Value* then = store->find("then"))
        introduction.then = {
            .start = wal::parse_token(text_in(*then, "start")).value_or(wal::Token{}),
            .position = number_in(*then, "position").value_or(0)};
    const Value* configured = body.find("configured");
    introduction.is_configured = configured == nullptr || configured->boolean();
    if (known->is_null()) return introduction;
    introduction.known = read_object(*known);
    if (!introduction.known) return std::nullopt;
    return introduction;
}

std::optional<Seen> read_seen(std::string_view header) {
    const auto log = wal::parse_token(take_word(header));
    const auto epoch = to_number(take_word(header));
    const auto start = wal::parse_token(take_word(header));
    const auto position = to_number(take_word(header));
    if (!log || !epoch || !start || !position) return std::nullopt;
    return Seen{
        .log = *log, .epoch = *epoch, .start = *start, .position = *position, .replaces = {}};
}

}  // namespace twophase::coordinator
