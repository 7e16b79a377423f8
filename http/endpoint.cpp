#include "http/endpoint.hpp"

#include "http/errc.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace twophase::http {

namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const char* end = text.data() + text.size();
    const auto [last, error] = std::from_chars(text.data(), end, port);
    if (error != std::errc{} || last != end || port == 0) return std::nullopt;
    return port;
}

bool is_host(std::string_view host, bool is_bracketed) {
    return !host.empty() && host.size() <= 255 && std::ranges::all_of(host, [&](char c) {
        const bool is_name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
        return is_name || (is_bracketed && c == ':');
    });
}

// "host:port", "[::1]:port"; without a port only when there is a default one.
std::optional<Address> parse_authority(std::string_view text, std::uint16_t default_port) {
    const bool is_bracketed = text.starts_with('[');
    std::size_t end = text.find(is_bracketed ? ']' : ':');
    if (is_bracketed && end == std::string_view::npos) return std::nullopt;
    Address address{.host = std::string(text.substr(is_bracketed, end - is_bracketed)),
                    .port = default_port,
                    .base_path = {}};
    if (!is_host(address.host, is_bracketed)) return std::nullopt;
    if (is_bracketed) ++end;
    const std::string_view rest = end < text.size() ? text.substr(end) : std::string_view{};
    if (rest.empty()) return default_port != 0 ? std::optional(address) : std::nullopt;
    const auto port = rest.front() == ':' ? parse_port(rest.substr(1)) : std::nullopt;
    if (!port) return std::nullopt;
    address.port = *port;
    return address;
}

// Without the slash at its end; nullopt for what isn't a path.
std::optional<std::string> parse_base_path(std::string_view text) {
    while (text.ends_with('/')) text.remove_suffix(1);
    if (!text.empty() && text.front() != '/') return std::nullopt;
    const bool is_plain = std::ranges::all_of(
        text, [](char c) { return c > ' ' && c < 0x7F && c != '?' && c != '#' && c != '\\'; });
    if (!is_plain) return std::nullopt;
    return std::string(text);
}

}  // namespace

boost::system::result<Endpoint> Endpoint::parse(std::string_view text) {
    constexpr std::string_view web = "http://";
    constexpr std::string_view file = "file:";
    Endpoint endpoint;
    endpoint.text_ = text;
    std::optional<std::string> base_path;
    if (text.starts_with(web)) {
        const std::string_view rest = text.substr(web.size());
        const std::size_t slash = std::min(rest.find('/'), rest.size());
        auto address = parse_authority(rest.substr(0, slash), 80);
        if (!address) return Errc::bad_endpoint;
        endpoint.address_ = std::move(*address);
        base_path = parse_base_path(rest.substr(slash));
    } else if (text.starts_with(file)) {
        const std::string_view rest = text.substr(file.size());
        const std::size_t hash = rest.find('#');
        endpoint.file_ = rest.substr(0, hash);
        if (endpoint.file_.empty()) return Errc::bad_endpoint;
        base_path = hash == std::string_view::npos ? "" : parse_base_path(rest.substr(hash + 1));
    }
    if (!base_path) return Errc::bad_endpoint;
    endpoint.address_.base_path = std::move(*base_path);
    return endpoint;
}

boost::system::result<Address> Endpoint::resolve() const {
    if (file_.empty()) return address_;
    // Opening a pipe would wait for its writer.
    std::error_code unknown;
    if (!std::filesystem::is_regular_file(file_, unknown)) return Errc::unreachable;
    std::ifstream stream(file_);
    std::string line;
    // The newline is the writer's last byte: without it the file is incomplete.
    if (!std::getline(stream, line) || stream.eof()) return Errc::unreachable;
    auto address = parse_authority(line, 0);
    if (!address) return Errc::unreachable;
    address->base_path = address_.base_path;
    return std::move(*address);
}

void write_address_file(const std::filesystem::path& file,
                        std::string_view host,
                        std::uint16_t port) {
    const bool needs_brackets = host.find(':') != std::string_view::npos;
    std::filesystem::path temporary = file;
    temporary += "." + std::to_string(::getpid());
    std::ofstream stream(temporary, std::ios::trunc);
    stream << (needs_brackets ? "[" : "") << host << (needs_brackets ? "]" : "") << ":" << port
           << "\n";
    stream.close();
    if (!stream || ::chmod(temporary.c_str(), 0644) != 0) {
        throw std::filesystem::filesystem_error(
            "cannot write the address file", file, {errno, std::generic_category()});
    }
    std::filesystem::rename(temporary, file);
}

}  // namespace twophase::http
