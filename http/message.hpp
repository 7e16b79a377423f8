// One HTTP request and one response as plain data: what all other folders see of HTTP.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::http {

struct Header {
    std::string name;
    std::string value;
};

/// A route as it was added to the router: what a request may be counted under.
struct RouteName {
    std::string method;
    std::string pattern;  // "/v1/transactions/{gid}"
};

/// A request that passed the strict gate. Header names compare without case.
struct Request {
    std::string method;
    std::string path;  // percent-decoded, without the query
    std::map<std::string, std::string>
        query;  // decoded as forms encode; a name given twice is a 400
    std::map<std::string, std::string> path_parameters;  // "{gid}" of the route, filled by Router
    std::vector<Header> headers;
    std::string body;
    std::string remote_address;  // the peer's IP as text
    /// Where the router notes the route that fits, which lives as long as the router; null: nobody
    /// wants to know. Valid until the handler returns.
    const RouteName** route = nullptr;

    /// The value of the header `name`, empty text when absent.
    std::string_view header(std::string_view name) const;
    /// The path parameter `name`; the route must have it.
    const std::string& parameter(const std::string& name) const { return path_parameters.at(name); }
};

struct Response {
    unsigned status = 200;
    std::string body;
    std::string content_type = "application/json";
    std::vector<Header> headers;

    std::string_view header(std::string_view name) const;
};

/// Sends the answer. Called exactly once for each request, on the loop's thread.
using Respond = std::function<void(Response)>;

/// Answers a request, now or later. Called on the loop's thread; must not block or throw.
using Handler = std::function<void(Request, Respond)>;

}  // namespace twophase::http
