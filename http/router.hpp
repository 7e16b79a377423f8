// Which handler answers which method and path.
#pragma once

#include "http/message.hpp"

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::http {

/// Maps a method and a path pattern such as "/v1/transactions/{gid}/retry" to a handler. HEAD is
/// wherever GET is (RFC 9110, section 9.1); handlers see it as GET.
/// Unknown paths get 404, known paths with another method 405 with `Allow`.
class Router {
public:
    /// Adds a route. A literal segment wins over a parameter.
    void add(std::string method, std::string_view pattern, Handler handler);
    /// Adds a GET route whose answer costs work: a list, an export. HEAD is answered 200 without
    /// the handler, as it would build that for nobody.
    void add_list(std::string_view pattern, Handler handler);

    /// Answers through the route that fits, or with the problem document that says why none does.
    void operator()(Request request, Respond respond) const;

private:
    struct Route {
        RouteName name;
        std::vector<std::string> segments;
        Handler handler;
        bool is_list = false;
    };
    std::deque<Route> routes_;  // whose names stay where they are
};

}  // namespace twophase::http
