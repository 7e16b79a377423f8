#include "http/target.hpp"

#include "http/text.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace twophase::http {

namespace {

bool is_clean(std::string_view decoded) { return !has_control(decoded) && is_utf8(decoded); }

std::string parse_path(std::string_view raw, std::string& path) {
    std::string_view rest = raw.substr(1);
    while (true) {
        const auto part = take_until(rest, "/");
        const auto segment = percent_decode(part ? *part : rest);
        if (!segment || !is_clean(*segment)) return "The path isn't properly percent-encoded.";
        if (*segment == "." || *segment == "..") return "The path has dot segments.";
        if (segment->find_first_of("/\\") != std::string::npos) return "The path hides a slash.";
        path += "/" + *segment;
        if (!part) return {};
    }
}

// A plus sign is a space: query strings are written by forms and their libraries.
std::optional<std::string> decode_query_text(std::string_view raw) {
    std::string text(raw);
    std::ranges::replace(text, '+', ' ');
    auto decoded = percent_decode(text);
    if (!decoded || !is_clean(*decoded)) return std::nullopt;
    return decoded;
}

std::string parse_query(std::string_view rest, std::map<std::string, std::string>& query) {
    while (!rest.empty()) {
        auto part = take_until(rest, "&");
        if (!part) part = std::exchange(rest, {});
        if (part->empty()) continue;
        const auto raw_name = take_until(*part, "=");
        const auto name = decode_query_text(raw_name ? *raw_name : *part);
        const auto text = raw_name ? decode_query_text(*part) : std::string();
        if (!name || !text || name->empty()) return "The query isn't properly percent-encoded.";
        if (!query.emplace(*name, *text).second) return "The query names something twice.";
    }
    return {};
}

}  // namespace

bool is_target(std::string_view target) {
    constexpr std::string_view never = "\"#<>\\^`{|}";
    return std::ranges::all_of(target, [never](char c) {
        return c > ' ' && c < 0x7F && never.find(c) == std::string_view::npos;
    });
}

TargetForm split_target(std::string_view target) {
    constexpr std::string_view scheme = "http://";
    if (!equal_ignoring_case(target.substr(0, scheme.size()), scheme))
        return {.authority = std::nullopt, .path_and_query = std::string(target)};
    target.remove_prefix(scheme.size());
    const std::size_t end = std::min(target.find_first_of("/?"), target.size());
    const std::string_view rest = target.substr(end);
    return {.authority = target.substr(0, end),
            .path_and_query = (rest.starts_with('/') ? "" : "/") + std::string(rest)};
}

std::string parse_target(std::string_view target, Request& request) {
    if (!target.starts_with('/')) return "The target must begin with a slash or http://.";
    if (!is_target(target)) return "The target has bytes that must be percent-encoded.";
    const std::size_t question = std::min(target.find('?'), target.size());
    std::string refusal = parse_path(target.substr(0, question), request.path);
    if (!refusal.empty() || question == target.size()) return refusal;
    return parse_query(target.substr(question + 1), request.query);
}

}  // namespace twophase::http
