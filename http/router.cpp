#include "http/router.hpp"

#include "http/problem.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <set>
#include <utility>

namespace twophase::http {

namespace {

std::vector<std::string> split(std::string_view path) {
    assert(path.starts_with('/'));
    std::vector<std::string> segments;
    std::size_t begin = 1;
    for (std::size_t end = path.find('/', begin); end != std::string_view::npos;
         end = path.find('/', begin)) {
        segments.emplace_back(path.substr(begin, end - begin));
        begin = end + 1;
    }
    segments.emplace_back(path.substr(begin));
    return segments;
}

bool is_parameter(std::string_view segment) {
    return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

bool fits(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
    return std::ranges::equal(pattern, path, [](const auto& part, const auto& segment) {
        return is_parameter(part) ? !segment.empty() : part == segment;
    });
}

// Whether `a` has a literal at the first place where the two differ in kind.
bool is_more_literal(const std::vector<std::string>& a, const std::vector<std::string>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (is_parameter(a[i]) != is_parameter(b[i])) return is_parameter(b[i]);
    }
    return false;
}

Response method_not_allowed(const std::set<std::string>& methods) {
    std::string allow;
    for (const std::string& method : methods) allow += (allow.empty() ? "" : ", ") + method;
    Response response =
        problem(405, "method-not-allowed", "This resource answers " + allow + " only.");
    response.headers.push_back({"Allow", allow});
    return response;
}

}  // namespace

void Router::add(std::string method, std::string_view pattern, Handler handler) {
    routes_.push_back({.name = {.method = std::move(method), .pattern = std::string(pattern)},
                       .segments = split(pattern),
                       .handler = std::move(handler)});
}

void Router::add_list(std::string_view pattern, Handler handler) {
    add("GET", pattern, std::move(handler));
    routes_.back().is_list = true;
}

void Router::operator()(Request request, Respond respond) const {
    const std::vector<std::string> path = split(request.path);
    const bool is_head = request.method == "HEAD";
    if (is_head) request.method = "GET";
    const Route* best = nullptr;
    std::set<std::string> methods;
    for (const Route& route : routes_) {
        if (!fits(route.segments, path)) continue;
        methods.insert(route.name.method);
        if (route.name.method == "GET") methods.insert("HEAD");
        if (route.name.method != request.method) continue;
        if (!best || is_more_literal(route.segments, best->segments)) best = &route;
    }
    if (!best && methods.empty()) {
        return respond(problem(404, "no-such-resource", "No resource has this path."));
    }
    if (!best) return respond(method_not_allowed(methods));
    if (request.route != nullptr) *std::exchange(request.route, nullptr) = &best->name;
    if (is_head && best->is_list)
        return respond({.status = 200, .body = {}, .content_type = {}, .headers = {}});
    for (std::size_t i = 0; i < path.size(); ++i) {
        const std::string& part = best->segments[i];
        if (is_parameter(part)) request.path_parameters[part.substr(1, part.size() - 2)] = path[i];
    }
    best->handler(std::move(request), std::move(respond));
}

}  // namespace twophase::http
