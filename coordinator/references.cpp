#include "coordinator/references.hpp"

#include "http/json.hpp"

#include <map>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace twophase::coordinator {
namespace {

using http::Json;

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

/// Calls `visit` with every string that is a reference. As deep as a request may be: 16.
void for_each_reference(Json& value, const std::function<void(Json&, const Reference&)>& visit) {
    if (value.is_structured()) {
        for (Json& member : value) for_each_reference(member, visit);
    } else if (value.is_string()) {
        if (const auto reference = reference_in(value.get_ref<const std::string&>()))
            visit(value, *reference);
    }
}

/// Results by branch, each read once however often it is used.
class Results {
public:
    explicit Results(const ResultOf& result_of) : result_of_(result_of) {}

    /// Throws std::runtime_error, for the caller to tell.
    const Json& member(const Reference& reference) {
        const Json& result = tree(reference.branch_id);
        const auto found = result.is_object() ? result.find(reference.name) : result.end();
        if (found == result.end())
            throw std::runtime_error("the result of branch " + reference.branch_id +
                                     " has no member '" + reference.name + "'");
        return *found;
    }

private:
    const Json& tree(const std::string& branch_id) {
        const auto known = trees_.find(branch_id);
        if (known != trees_.end()) return known->second;
        return trees_.emplace(branch_id, Json::parse(result_of_(branch_id), nullptr, false))
            .first->second;
    }

    const ResultOf& result_of_;
    std::map<std::string, Json> trees_;
};

}  // namespace

std::vector<Reference> references_in(std::string_view payload) {
    std::vector<Reference> found;
    // Most payloads have none, and need no tree.
    if (payload.find("\"${") == payload.npos) return found;
    Json json = Json::parse(payload);
    for_each_reference(json, [&](Json&, const Reference& r) { found.push_back(r); });
    return found;
}

FilledPayload with_results(std::string_view payload,
                           const ResultOf& result_of,
                           std::size_t most_bytes) {
    if (payload.find("\"${") == payload.npos)
        return {.text = std::string(payload), .objection = {}};
    Json json = Json::parse(payload);
    Results results(result_of);
    std::size_t bytes = payload.size();
    try {
        for_each_reference(json, [&](Json& value, const Reference& reference) {
            const Json& member = results.member(reference);
            // Many references to one large result must not grow without bounds.
            bytes += http::dump(member).size();
            if (bytes > most_bytes)
                throw std::runtime_error(
                    "with the results of earlier branches in it, the payload "
                    "is larger than " +
                    std::to_string(most_bytes) + " bytes");
            value = Json(member);
        });
    } catch (const std::runtime_error& e) {
        return {.text = {}, .objection = e.what()};
    }
    return {.text = http::dump(json), .objection = {}};
}

}  // namespace twophase::coordinator
