// Which handler answers which method and path.
#pragma once

#include "http/message.hpp"

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::http {

/// Maps a method and a path pattern such as "/v1/transactions/{gid}/retry" to a handler.
/// Unknown paths get 404, known paths with another method 405 with `Allow`. HEAD is not offered.
class Router {
public:
    /// Adds a route. A literal segment wins over a parameter.
    void add(std::string method, std::string_view pattern, Handler handler);

    /// Answers through the route that fits, or with the problem document that says why none does.
    void operator()(Request request, Respond respond) const;

private:
    struct Route {
        RouteName name;
        std::vector<std::string> segments;
        Handler handler;
    };
    std::deque<Route> routes_;  // whose names stay where they are
};

}  // namespace twophase::http
