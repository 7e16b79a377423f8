#include "coordinator/references.hpp"

#include "http/json_text.hpp"
#include "http/raw_json.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace twophase::coordinator {
namespace {

std::optional<Reference> reference_in(std::string_view text) {
    constexpr std::string_view middle = ".result.";
    if (!text.starts_with("${") || !text.ends_with("}")) return std::nullopt;
    text = text.substr(2, text.size() - 3);
    const std::size_t dot = text.find('.');
    if (dot == 0 || dot == text.npos || !text.substr(dot).starts_with(middle)) return std::nullopt;
    const std::string_view name = text.substr(dot + middle.size());
    if (name.empty() || name.find_first_of("{}") != name.npos) return std::nullopt;
    return Reference{std::string(text.substr(0, dot)), std::string(name)};
}

/// A string of a payload that is a reference, or would be one without some of its leading `$`.
struct Found {
    std::string_view raw;  // where it stands, quotes included
    std::string text;      // what it says
    Reference reference;
    bool is_escaped = false;
};

std::optional<Found> found_in(std::string_view raw) {
    // Looked at before anything is unescaped: nearly all strings are something else.
    if (!raw.starts_with("\"$") && !raw.starts_with("\"\\u0024")) return std::nullopt;
    Found found;
    found.raw = raw;
    found.text = http::unescaped(raw);
    const std::string_view text = found.text;
    const std::size_t dollars = std::min(text.find_first_not_of('$'), text.size());
    auto reference = reference_in(text.substr(dollars - 1));
    if (!reference) return std::nullopt;
    found.reference = *std::move(reference);
    found.is_escaped = dollars > 1;
    return found;
}

/// Calls `visit` with every string that is a reference or an escaped one, in their order; names of
/// members are none. As deep as a request may be: 16.
void for_each_found(std::string_view container, const std::function<void(const Found&)>& visit) {
    http::RawMembers members(container);
    while (const auto member = members.next()) {
        const char first = member->value.empty() ? '\0' : member->value.front();
        if (first == '{' || first == '[') for_each_found(member->value, visit);
        if (first != '"') continue;
        if (const auto found = found_in(member->value)) visit(*found);
    }
}

/// A text of which parts are replaced, from front to back.
class Splice {
public:
    explicit Splice(std::string_view from) : from_(from) {}

    /// `part` lies in the text, behind the part before.
    void replace(std::string_view part, std::string_view by) {
        const auto at = static_cast<std::size_t>(part.data() - from_.data());
        text_ += from_.substr(copied_, at - copied_);
        text_ += by;
        copied_ = at + part.size();
    }
    std::string take() { return std::move(text_.append(from_.substr(copied_))); }

private:
    std::string_view from_;
    std::string text_;
    std::size_t copied_ = 0;
};

std::string json_quoted(std::string_view text) {
    std::string json;
    http::append_quoted(json, text);
    return json;
}

/// Results by branch, each read once however often it is used.
class Results {
public:
    explicit Results(const ResultOf& result_of) : result_of_(result_of) {}

    /// The member's text. Throws std::runtime_error, for the caller to tell.
    std::string_view member(const Reference& reference) {
        const Members& result = members_of(reference.branch_id);
        const auto found = result.find(reference.name);
        if (found == result.end())
            throw std::runtime_error("the result of branch " + reference.branch_id +
                                     " has no member '" + reference.name + "'");
        return found->second;
    }

private:
    using Members = std::map<std::string, std::string_view>;

    const Members& members_of(const std::string& branch_id) {
        const auto [known, is_new] = by_branch_.try_emplace(branch_id);
        if (!is_new) return known->second;
        const std::string_view result = result_of_(branch_id);
        http::RawMembers members(result.starts_with('{') ? result : std::string_view());
        while (const auto member = members.next())
            known->second.emplace(http::unescaped(member->name), member->value);
        return known->second;
    }

    const ResultOf& result_of_;
    std::map<std::string, Members> by_branch_;
};

/// Whether there may be any; most payloads have none, and need no second look.
bool may_have_references(std::string_view payload) { return payload.find("\"$") != payload.npos; }

}  // namespace

std::string with_plain_references(std::string_view payload) {
    Splice splice(payload);
    if (payload.find('\\') != payload.npos)
        for_each_found(payload, [&](const Found& found) {
            splice.replace(found.raw, json_quoted(found.text));
        });
    return splice.take();
}

std::vector<Reference> references_in(std::string_view payload) {
    std::vector<Reference> references;
    if (!may_have_references(payload)) return references;
    for_each_found(payload, [&](const Found& found) {
        if (!found.is_escaped) references.push_back(found.reference);
    });
    return references;
}

FilledPayload with_results(std::string_view payload,
                           const ResultOf& result_of,
                           std::size_t most_bytes) {
    if (!may_have_references(payload)) return {.text = std::string(payload), .objection = {}};
    Splice splice(payload);
    Results results(result_of);
    std::size_t bytes = payload.size();
    try {
        for_each_found(payload, [&](const Found& found) {
            if (found.is_escaped)
                return splice.replace(found.raw,
                                      json_quoted(std::string_view(found.text).substr(1)));
            const std::string_view member = results.member(found.reference);
            // Many references to one large result must not grow without bounds.
            bytes += member.size();
            if (bytes > most_bytes)
                throw std::runtime_error(
                    "with the results of earlier branches in it, the payload "
                    "is larger than " +
                    std::to_string(most_bytes) + " bytes");
            splice.replace(found.raw, member);
        });
    } catch (const std::runtime_error& e) {
        return {.text = {}, .objection = e.what()};
    }
    return {.text = splice.take(), .objection = {}};
}

}  // namespace twophase::coordinator
