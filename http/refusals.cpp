#include "http/refusals.hpp"

#include "http/problem.hpp"

#include <string>
#include <utility>

namespace twophase::http {

Response to_response(const Refusal& refusal) {
    Response response = problem(refusal.status, refusal.code, refusal.detail);
    if (refusal.status == 503) response.headers.push_back({"Retry-After", "1"});
    return response;
}

Refusal too_slow() {
    return {.status = 408,
            .code = "request-timeout",
            .detail = "The request didn't arrive whole in time."};
}

Refusal too_large(std::size_t limit) {
    return {.status = 413,
            .code = "body-too-large",
            .detail = "The body may have at most " + std::to_string(limit) + " bytes."};
}

Refusal overloaded(std::string detail) {
    return {.status = 503, .code = "overloaded", .detail = std::move(detail)};
}

Refusal bad_head(HeadScanner::State state, const ServerOptions& options) {
    if (state == HeadScanner::State::malformed) {
        return {.status = 400,
                .code = "malformed-request",
                .detail = "The head has a bare LF or CR, a control byte, or no request line."};
    }
    const bool is_too_long = state == HeadScanner::State::too_long;
    return {.status = 431,
            .code = "head-too-large",
            .detail = is_too_long ? "The head may have at most " +
                                        std::to_string(options.max_head_bytes) + " bytes."
                                  : "There may be at most " + std::to_string(options.max_headers) +
                                        " headers."};
}

}  // namespace twophase::http
