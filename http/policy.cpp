#include "http/policy.hpp"

#include "http/text.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <string>

namespace twophase::http {

namespace ip = boost::asio::ip;

namespace {

std::string without_brackets(std::string_view host) {
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    return lower(host);
}

bool is_our_name(const std::string& host, const ServerOptions& options) {
    if (host == "localhost" || host == "127.0.0.1" || host == "::1") return true;
    if (host == without_brackets(options.address)) return true;
    return std::ranges::any_of(options.allowed_hosts, [&host](const std::string& allowed) {
        return without_brackets(allowed) == host;
    });
}

// An IP however it is written; what IPv6 carries of IPv4 as IPv4.
std::optional<ip::address> address_of(const std::string& text) {
    boost::system::error_code is_name;
    const ip::address address = ip::make_address(text, is_name);
    if (is_name) return std::nullopt;
    if (address.is_v6() && address.to_v6().is_v4_mapped())
        return ip::make_address_v4(ip::v4_mapped, address.to_v6());
    return address;
}

// "https://Example.org:443" as "example.org": a default port may be left out.
std::string authority_of(std::string_view origin) {
    std::string text = lower(origin);
    std::string_view port;
    if (text.starts_with("http://")) port = ":80";
    if (text.starts_with("https://")) port = ":443";
    if (port.empty()) return {};
    text.erase(0, text.find("//") + 2);
    if (text.ends_with(port)) text.erase(text.size() - port.size());
    return text;
}

bool is_same_site(std::string_view origin, const std::string& authority) {
    const std::string from = authority_of(origin);
    if (from.empty()) return false;
    return from == authority || from + ":80" == authority || from + ":443" == authority;
}

// application/json, with no parameter but charset=utf-8.
bool is_json(std::string_view content_type) {
    const std::size_t semicolon = std::min(content_type.find(';'), content_type.size());
    if (!equal_ignoring_case(trim(content_type.substr(0, semicolon)), "application/json")) {
        return false;
    }
    if (semicolon == content_type.size()) return true;
    const std::string_view parameter = trim(content_type.substr(semicolon + 1));
    return parameter.empty() || equal_ignoring_case(parameter, "charset=utf-8") ||
           equal_ignoring_case(parameter, "charset=\"utf-8\"");
}

}  // namespace

bool is_for_us(const RequestHead& head, const ServerOptions& options) {
    if (head.host.empty() || is_our_name(head.host, options)) return true;
    const auto named = address_of(head.host);
    return named && named == address_of(head.local_address);
}

bool is_probe(const Request& request) {
    return (request.method == "GET" || request.method == "HEAD") &&
           (request.path == "/livez" || request.path == "/readyz");
}

Response one_word(const Response& answer) {
    Response told{
        .status = answer.status,
        .body = answer.status < 300 ? R"({"status":"ok"})" : R"({"status":"unavailable"})",
        .content_type = "application/json",
        .headers = {}};
    const std::string_view retry_after = answer.header("retry-after");
    if (!retry_after.empty()) told.headers.push_back({"Retry-After", std::string(retry_after)});
    return told;
}

std::optional<Refusal> refuse(const RequestHead& head, const ServerOptions& options) {
    const Request& request = head.request;
    // A balancer names its site by Host; an absolute target of another site is meant for a proxy.
    const bool may_name_another = is_probe(request) && !head.has_absolute_target;
    if (!may_name_another && !is_for_us(head, options)) {
        return Refusal{.status = 421,
                       .code = "wrong-host",
                       .detail = "This server doesn't answer for the host \"" + head.host +
                                 "\"; add it to the allowed hosts if it should."};
    }
    const std::string_view origin = request.header("origin");
    if (!origin.empty() && !is_same_site(origin, head.authority)) {
        return Refusal{.status = 403,
                       .code = "foreign-origin",
                       .detail = "Pages of other sites may not use this server."};
    }
    if (!head.framing.has_body()) return std::nullopt;
    const std::string_view encoding = request.header("content-encoding");
    const bool is_plain = encoding.empty() || equal_ignoring_case(encoding, "identity");
    if (!is_plain || !is_json(request.header("content-type"))) {
        return Refusal{.status = 415,
                       .code = "unsupported-media-type",
                       .detail =
                           "Send the body as Content-Type: application/json, in UTF-8, "
                           "without Content-Encoding."};
    }
    return std::nullopt;
}

std::size_t body_limit(const ServerOptions& options, std::string_view path) {
    return options.body_limit ? options.body_limit(path) : options.max_body_bytes;
}

}  // namespace twophase::http
