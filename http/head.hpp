// The strict gate: reads a message's head from raw bytes and refuses whatever two readers might
// read differently (request smuggling), so that Beast's more lenient parser never sees it.
#pragma once

#include "http/errc.hpp"
#include "http/message.hpp"

#include <boost/system/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::http {

/// Why a request isn't served. It becomes a problem document; the connection is closed after it.
struct Refusal {
    unsigned status = 400;
    std::string code;
    std::string detail;
};

/// Finds the end of a head while its bytes arrive, looking at each byte once, so that a bare LF or
/// a control byte is refused when it comes and not at the deadline.
class HeadScanner {
public:
    HeadScanner(std::size_t max_bytes, std::size_t max_headers)
        : max_bytes_(max_bytes), max_headers_(max_headers) {}

    enum class State { incomplete, complete, malformed, too_long, too_many };

    /// `bytes` is all that arrived of this message, from its first byte on.
    State scan(std::string_view bytes);

    /// The head's length with its empty line; only when complete.
    std::size_t length() const { return next_; }

private:
    State end_line();

    std::size_t max_bytes_;
    std::size_t max_headers_;
    std::size_t next_ = 0;        // first byte not looked at
    std::size_t line_begin_ = 0;  // first byte of the line at next_
    std::size_t lines_ = 0;
};

/// How a message says where its body ends.
struct Framing {
    bool has_length = false;
    std::uint64_t length = 0;
    bool is_chunked = false;
    bool ends_with_connection = false;  // of an answer (RFC 9112, section 6.3, last rule)
    bool keep_alive = true;

    /// Whether body bytes may follow; a chunked body may still turn out empty.
    bool has_body() const { return is_chunked || length > 0 || ends_with_connection; }
};

struct RequestHead {
    Request request;  // its body still empty
    Framing framing;
    /// Lower case, without port and brackets; empty: HTTP/1.0 without Host.
    std::string host;
    std::string authority;      // lower case, as in the Host header
    std::string local_address;  // the IP that the connection came in at; empty: not known
    bool expects_continue = false;
    bool has_absolute_target = false;  // its authority is Host's
};

/// Reads a whole request head. Refused with 400, 417, 501 or 505; see http/README.md for the rules.
boost::system::result<RequestHead, Refusal> parse_request_head(std::string_view head);

struct ResponseHead {
    Response response;  // its body still empty
    Framing framing;
    /// 1xx: not the answer yet.
    bool is_interim = false;
};

/// Reads a whole response head; `to_method` is the request's. The error names the rule that it
/// breaks.
Result<ResponseHead> parse_response_head(std::string_view head, std::string_view to_method);

/// The bytes of a response's head, dated `now`. Values from outside can't break out of their line;
/// headers that belong to the connection are ours alone. `status` outside 200..599 is sent as 500.
/// To HEAD an empty body is one that nobody made: its length isn't told.
std::string response_head(const Response& response,
                          bool keep_alive,
                          bool is_to_head,
                          std::chrono::system_clock::time_point now);

/// The bytes of a request's head.
std::string request_head(std::string_view method,
                         std::string_view target,
                         std::string_view authority,
                         std::size_t body_bytes,
                         std::string_view content_type,
                         const std::vector<Header>& headers);

}  // namespace twophase::http
