// Where a peer is: a base URL, or a file in which the peer writes its address when it starts.
#pragma once

#include <boost/system/result.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace twophase::http {

struct Address {
    std::string host;
    std::uint16_t port = 0;
    std::string base_path;  // "" or "/v1/branches", without a slash at its end

    friend bool operator==(const Address&, const Address&) = default;
};

/// A peer's base URL as configured: "http://host:port/base", or "file:/path/to/x.address#/base"
/// whose file holds "host:port\n". The file form is for ports that the kernel chose: it is read
/// again for every new connection, so a peer may come back elsewhere.
class Endpoint {
public:
    /// Errc::bad_endpoint for any other scheme, user info, query, or a port that is no port.
    static boost::system::result<Endpoint> parse(std::string_view text);

    /// The address now; Errc::unreachable while the file is absent or incomplete.
    boost::system::result<Address> resolve() const;

    /// As configured.
    const std::string& text() const { return text_; }
    const std::string& base_path() const { return address_.base_path; }

private:
    std::string text_;
    Address address_;
    std::filesystem::path file_;  // empty: address_ is fixed
};

/// Writes "host:port\n" to `file` in one step (a temporary file, then rename), mode 0644.
/// Throws std::filesystem::filesystem_error.
void write_address_file(const std::filesystem::path& file,
                        std::string_view host,
                        std::uint16_t port);

}  // namespace twophase::http
