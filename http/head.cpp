#include "http/head.hpp"

#include "http/status.hpp"
#include "http/target.hpp"
#include "http/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <optional>
#include <span>
#include <utility>

namespace twophase::http {

namespace {

using Headers = std::vector<Header>;

Refusal malformed(std::string detail) {
    return {.status = 400, .code = "malformed-request", .detail = std::move(detail)};
}

std::size_t count(const Headers& headers, std::string_view name) {
    return static_cast<std::size_t>(std::ranges::count_if(
        headers, [name](const Header& h) { return equal_ignoring_case(h.name, name); }));
}

std::string_view value(const Headers& headers, std::string_view name) {
    for (const Header& header : headers) {
        if (equal_ignoring_case(header.name, name)) return header.value;
    }
    return {};
}

// A refusal's detail: a rule's text as a sentence.
std::string sentence(const boost::system::error_code& rule) {
    std::string text = rule.message() + ".";
    if (text.front() >= 'a' && text.front() <= 'z')
        text.front() = static_cast<char>(text.front() - 'a' + 'A');
    return text;
}

// The header lines after the first line; the rule that one breaks.
boost::system::error_code parse_headers(std::string_view rest, Headers& headers) {
    while (true) {
        const auto line = take_until(rest, "\r\n");
        if (!line) return Errc::no_head_end;
        if (line->empty()) return rest.empty() ? boost::system::error_code() : Errc::no_head_end;
        if (line->front() == ' ' || line->front() == '\t') return Errc::folded_header;
        std::string_view text = *line;
        const auto name = take_until(text, ":");
        // This also refuses a space before the colon.
        if (!name || !is_token(*name)) return Errc::bad_header_name;
        text = trim(text);
        if (!is_header_value(text) || !is_utf8(text)) return Errc::bad_header_value;
        headers.push_back({std::string(*name), std::string(text)});
    }
}

// Two readers may pick different ones of these.
constexpr std::array<std::string_view, 4> single_in_answers = {
    "content-length", "transfer-encoding", "content-type", "content-encoding"};
constexpr std::array<std::string_view, 10> single_in_requests = {"content-length",
                                                                 "transfer-encoding",
                                                                 "host",
                                                                 "content-type",
                                                                 "content-encoding",
                                                                 "origin",
                                                                 "authorization",
                                                                 "expect",
                                                                 "idempotency-key",
                                                                 "if-match"};

// Empty: none of `single` is there twice.
std::string_view find_duplicate(const Headers& headers, std::span<const std::string_view> single) {
    const auto twice = std::ranges::find_if(
        single, [&headers](std::string_view name) { return count(headers, name) > 1; });
    return twice == single.end() ? std::string_view() : *twice;
}

bool list_has(const Headers& headers, std::string_view name, std::string_view token) {
    for (const Header& header : headers) {
        if (!equal_ignoring_case(header.name, name)) continue;
        std::string_view rest = header.value;
        while (const auto member = next_in_list(rest))
            if (equal_ignoring_case(*member, token)) return true;
    }
    return false;
}

std::optional<std::uint64_t> parse_length(std::string_view text) {
    constexpr std::size_t max_digits = 18;  // fits any integer type
    const bool is_digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    if (text.empty() || text.size() > max_digits || !is_digits) return std::nullopt;
    std::uint64_t length = 0;
    std::from_chars(text.data(), text.data() + text.size(), length);
    return length;
}

// Fills `framing`; the rule that it breaks when the message doesn't say plainly where it ends.
boost::system::error_code parse_framing(const Headers& headers, bool is_http11, Framing& framing) {
    framing.has_length = count(headers, "content-length") > 0;
    framing.is_chunked = count(headers, "transfer-encoding") > 0;
    if (framing.has_length && framing.is_chunked) return Errc::length_and_chunked;
    if (framing.is_chunked) {
        if (!is_http11) return Errc::chunked_in_http10;
        if (!equal_ignoring_case(value(headers, "transfer-encoding"), "chunked"))
            return Errc::other_coding;
    }
    if (framing.has_length) {
        const auto length = parse_length(value(headers, "content-length"));
        if (!length) return Errc::bad_length;
        framing.length = *length;
    }
    const bool asks_to_close = list_has(headers, "connection", "close");
    framing.keep_alive =
        !asks_to_close && (is_http11 || list_has(headers, "connection", "keep-alive"));
    return {};
}

bool is_known_method(std::string_view method) {
    constexpr std::array<std::string_view, 7> known = {
        "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"};
    return std::ranges::find(known, method) != known.end();
}

struct Authority {
    std::string text;  // lower case
    std::string host;  // without port and brackets
};

// "host", "host:port", "[::1]:port"; the text of a refusal for anything else, userinfo too.
std::string parse_authority(std::string_view text, Authority& out) {
    out.text = lower(text);
    std::string_view host = out.text;
    const std::size_t colon = host.find(':', host.starts_with('[') ? host.find(']') : 0);
    if (colon < host.size()) {
        // RFC 3986, section 3.2.3: the port may be empty, which is as none.
        const std::string_view text_of_port = host.substr(colon + 1);
        const auto port = text_of_port.empty() ? 0 : parse_length(text_of_port);
        if (!port || *port > 65'535) return "The port in Host isn't one.";
        host = host.substr(0, colon);
    }
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    const bool is_plain = std::ranges::all_of(host, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
               c == '_' || c == ':';
    });
    if (host.empty() || !is_plain) return "Host isn't a host.";
    out.host = host;
    return {};
}

std::string_view without_default_port(std::string_view authority) {
    if (authority.ends_with(":80")) authority.remove_suffix(3);
    if (authority.ends_with(':')) authority.remove_suffix(1);
    return authority;
}

// Whom the request names, by its Host and by an absolute target (RFC 9112, section 3.2.2): both
// must be the same, as the next reader may look at either. HTTP/1.0 knows no Host, and no browser
// speaks it: without Origin there is no page that a name could lead here.
std::string parse_host(std::optional<std::string_view> in_target,
                       bool is_http11,
                       RequestHead& head) {
    const Headers& headers = head.request.headers;
    const bool has_host = count(headers, "host") > 0;
    if (!has_host && (is_http11 || count(headers, "origin") > 0)) return "Host is missing.";
    Authority host;
    Authority target;
    std::string refusal;
    if (has_host) refusal = parse_authority(value(headers, "host"), host);
    if (refusal.empty() && in_target) refusal = parse_authority(*in_target, target);
    if (!refusal.empty()) return refusal;
    const bool agree = without_default_port(host.text) == without_default_port(target.text);
    if (has_host && in_target && !agree) return "The target and Host name different servers.";
    Authority& named = has_host ? host : target;
    head.has_absolute_target = in_target.has_value();
    head.host = std::move(named.host);
    head.authority = std::move(named.text);
    return {};
}

std::string parse_fields(std::string_view rest, bool is_http11, RequestHead& head) {
    const Headers& headers = head.request.headers;
    auto broken = parse_headers(rest, head.request.headers);
    if (broken) return sentence(broken);
    const std::string_view twice = find_duplicate(headers, single_in_requests);
    if (!twice.empty()) return "The header " + std::string(twice) + " is given twice.";
    broken = parse_framing(headers, is_http11, head.framing);
    return broken ? sentence(broken) : "";
}

// Appends a header that can't become two: a control byte in its value is sent as a space.
void append_header(std::string& out, std::string_view name, std::string_view text) {
    out.append(name).append(": ");
    for (const char c : text) out += (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) ? ' ' : c;
    out += "\r\n";
}

bool belongs_to_connection(std::string_view name) {
    constexpr std::array<std::string_view, 8> own = {"connection",
                                                     "date",
                                                     "content-length",
                                                     "transfer-encoding",
                                                     "keep-alive",
                                                     "host",
                                                     "upgrade",
                                                     "expect"};
    return std::ranges::any_of(
        own, [name](std::string_view one) { return equal_ignoring_case(one, name); });
}

void append_headers(std::string& out, const Headers& headers) {
    for (const Header& header : headers) {
        if (!is_token(header.name) || belongs_to_connection(header.name)) continue;
        append_header(out, header.name, header.value);
    }
}

// RFC 9110, section 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT", whatever the locale is.
std::string http_date(std::chrono::system_clock::time_point at) {
    constexpr std::array days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array months = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
    std::tm time{};
    ::gmtime_r(&seconds, &time);
    std::array<char, 64> text{};
    const int length = std::snprintf(text.data(),
                                     text.size(),
                                     "%s, %02d %s %04d %02d:%02d:%02d GMT",
                                     days.at(static_cast<std::size_t>(time.tm_wday)),
                                     time.tm_mday,
                                     months.at(static_cast<std::size_t>(time.tm_mon)),
                                     time.tm_year + 1900,
                                     time.tm_hour,
                                     time.tm_min,
                                     time.tm_sec);
    return {text.data(), static_cast<std::size_t>(length)};
}

// "HTTP/1.1 200 Any Text": the status, 0 when it isn't one.
unsigned parse_status_line(std::string_view line, bool& is_http11) {
    is_http11 = line.starts_with("HTTP/1.1 ");
    if (!is_http11 && !line.starts_with("HTTP/1.0 ")) return 0;
    const std::string_view digits = line.substr(9, 3);
    const auto status = parse_length(digits);
    if (!status || digits.size() != 3 || *status < 100 || *status > 599) return 0;
    if (line.size() > 12 && line[12] != ' ') return 0;
    return static_cast<unsigned>(*status);
}

}  // namespace

HeadScanner::State HeadScanner::scan(std::string_view bytes) {
    const std::size_t end = std::min(bytes.size(), max_bytes_);
    for (; next_ < end; ++next_) {
        const char c = bytes[next_];
        const bool follows_cr = next_ > 0 && bytes[next_ - 1] == '\r';
        if (follows_cr != (c == '\n')) return State::malformed;
        const auto byte = static_cast<unsigned char>(c);
        if ((byte < 0x20 && c != '\t' && c != '\r' && c != '\n') || byte == 0x7F) {
            return State::malformed;
        }
        if (c != '\n') continue;
        const State state = end_line();
        if (state != State::incomplete) return state;
    }
    return next_ == max_bytes_ ? State::too_long : State::incomplete;
}

HeadScanner::State HeadScanner::end_line() {
    const bool is_empty = next_ - line_begin_ == 1;
    if (is_empty && lines_ == 0) return State::malformed;
    line_begin_ = next_ + 1;
    if (is_empty) {
        ++next_;
        return State::complete;
    }
    ++lines_;
    return lines_ > max_headers_ + 1 ? State::too_many : State::incomplete;
}

boost::system::result<RequestHead, Refusal> parse_request_head(std::string_view head) {
    std::string_view rest = head;
    const auto line = take_until(rest, "\r\n");
    if (!line) return malformed("The head has no end.");
    std::string_view version = *line;
    const auto method = take_until(version, " ");
    const auto target = method ? take_until(version, " ") : std::nullopt;
    if (!target || !is_token(*method) || !version.starts_with("HTTP/")) {
        return malformed("The request line isn't METHOD TARGET VERSION.");
    }
    const bool is_http11 = version == "HTTP/1.1";
    if (!is_http11 && version != "HTTP/1.0") {
        return Refusal{.status = 505,
                       .code = "http-version-not-supported",
                       .detail = "The versions of HTTP are 1.1 and 1.0."};
    }
    RequestHead out;
    out.request.method = *method;
    const TargetForm form = split_target(*target);
    std::string refusal = parse_target(form.path_and_query, out.request);
    if (refusal.empty()) refusal = parse_fields(rest, is_http11, out);
    if (refusal.empty()) refusal = parse_host(form.authority, is_http11, out);
    if (!refusal.empty()) return malformed(std::move(refusal));
    if (!is_known_method(*method)) {
        return Refusal{.status = 501,
                       .code = "unknown-method",
                       .detail = "The methods are GET, HEAD, POST, PUT, PATCH and DELETE."};
    }
    const std::string_view expectation = out.request.header("expect");
    out.expects_continue = is_http11 && equal_ignoring_case(expectation, "100-continue");
    if (is_http11 && count(out.request.headers, "expect") > 0 && !out.expects_continue) {
        return Refusal{.status = 417,
                       .code = "expectation-failed",
                       .detail = "The only expectation is 100-continue."};
    }
    return out;
}

Result<ResponseHead> parse_response_head(std::string_view head, std::string_view to_method) {
    std::string_view rest = head;
    const auto line = take_until(rest, "\r\n");
    bool is_http11 = false;
    const unsigned status = line ? parse_status_line(*line, is_http11) : 0;
    if (status == 0) return Errc::no_status_line;
    ResponseHead out;
    out.response.status = status;
    if (const auto broken = parse_headers(rest, out.response.headers)) return broken;
    const Headers& headers = out.response.headers;
    if (!find_duplicate(headers, single_in_answers).empty()) return Errc::header_twice;
    if (const auto broken = parse_framing(headers, is_http11, out.framing)) return broken;
    if (status == 101) return Errc::switches_protocols;
    out.is_interim = status < 200;
    out.response.content_type = out.response.header("content-type");
    const bool has_no_body =
        out.is_interim || status == 204 || status == 304 || to_method == "HEAD";
    if (has_no_body) {
        out.framing.is_chunked = false;
        out.framing.has_length = false;
        out.framing.length = 0;
    } else if (!out.framing.has_length && !out.framing.is_chunked) {
        out.framing.ends_with_connection = true;
        out.framing.keep_alive = false;
    }
    return out;
}

std::string response_head(const Response& response,
                          bool keep_alive,
                          bool is_to_head,
                          std::chrono::system_clock::time_point now) {
    const bool is_proper = response.status >= 200 && response.status <= 599;
    const unsigned status = is_proper ? response.status : 500;
    std::string out;
    out.reserve(256);
    out.append("HTTP/1.1 ").append(std::to_string(status)).append(" ");
    out.append(reason_phrase(status)).append("\r\n");
    append_header(out, "Date", http_date(now));
    if (status != 204 && status != 304) {
        const bool is_unmade = is_to_head && response.body.empty();
        if (!response.content_type.empty() && (!response.body.empty() || is_unmade)) {
            append_header(out, "Content-Type", response.content_type);
        }
        if (!is_unmade) append_header(out, "Content-Length", std::to_string(response.body.size()));
    }
    if (response.header("cache-control").empty()) append_header(out, "Cache-Control", "no-store");
    append_header(out, "X-Content-Type-Options", "nosniff");
    append_header(out, "Connection", keep_alive ? "keep-alive" : "close");
    append_headers(out, response.headers);
    return out += "\r\n";
}

std::string request_head(std::string_view method,
                         std::string_view target,
                         std::string_view authority,
                         std::size_t body_bytes,
                         std::string_view content_type,
                         const std::vector<Header>& headers) {
    std::string out;
    out.reserve(256);
    out.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
    append_header(out, "Host", authority);
    if (body_bytes > 0 && !content_type.empty()) append_header(out, "Content-Type", content_type);
    if (body_bytes > 0 || (method != "GET" && method != "HEAD")) {
        append_header(out, "Content-Length", std::to_string(body_bytes));
    }
    append_headers(out, headers);
    return out += "\r\n";
}

}  // namespace twophase::http
