// Sockets that speak raw bytes to a server.
#pragma once

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace twophase::http::test {

/// Only against a hang: no test waits this long when it passes.
constexpr std::chrono::seconds patience{20};

/// A blocking socket.
class RawSocket {
public:
    explicit RawSocket(int descriptor) : descriptor_(descriptor) {
        if (descriptor < 0) throw std::runtime_error("no socket");
        const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
        ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    }

    static RawSocket to(std::uint16_t port) {
        RawSocket out(::socket(AF_INET, SOCK_STREAM, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        // The kernel takes addresses as this type alone.
        const auto* generic = reinterpret_cast<const sockaddr*>(&address);
        if (::connect(out.descriptor_, generic, sizeof(address)) != 0) {
            throw std::runtime_error("cannot connect");
        }
        return out;
    }

    RawSocket(RawSocket&& other) noexcept
        : descriptor_(std::exchange(other.descriptor_, -1)), rest_(std::move(other.rest_)) {}
    RawSocket& operator=(RawSocket&&) = delete;
    ~RawSocket() { close(); }

    void close() {
        if (descriptor_ >= 0) ::close(descriptor_);
        descriptor_ = -1;
    }

    /// Closes so that the peer sees a reset.
    void reset() {
        const linger at_once{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        close();
    }

    /// False when the peer doesn't take it any more.
    bool send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    void end_sending() const { ::shutdown(descriptor_, SHUT_WR); }

    bool has_bytes(std::chrono::milliseconds wait) const {
        pollfd waiting{.fd = descriptor_, .events = POLLIN, .revents = 0};
        return ::poll(&waiting, 1, static_cast<int>(wait.count())) > 0;
    }

    /// Everything until the peer closes.
    std::string read_all() {
        while (read_some()) {
        }
        return std::exchange(rest_, {});
    }

    /// One message with a Content-Length, or what came before the end.
    std::string read_message() {
        std::size_t head = std::string::npos;
        while ((head = rest_.find("\r\n\r\n")) == std::string::npos) {
            if (!read_some()) return std::exchange(rest_, {});
        }
        const std::size_t whole = head + 4 + length_in(rest_.substr(0, head));
        while (rest_.size() < whole && read_some()) {
        }
        std::string message = rest_.substr(0, whole);
        rest_.erase(0, whole);
        return message;
    }

    /// Whether the peer has closed, all that it sent being read.
    bool is_at_end() { return rest_.empty() && !read_some() && !has_waited_in_vain_; }

    int descriptor() const { return descriptor_; }

    /// Whether the peer closes without a reset.
    bool ends_cleanly() const {
        char byte = 0;
        return ::recv(descriptor_, &byte, sizeof(byte), 0) == 0;
    }

private:
    bool read_some() {
        char buffer[4096];
        const ssize_t got = ::recv(descriptor_, buffer, sizeof(buffer), 0);
        has_waited_in_vain_ = got < 0 && errno == EAGAIN;
        if (got <= 0) return false;
        rest_.append(buffer, static_cast<std::size_t>(got));
        return true;
    }

    static std::size_t length_in(const std::string& head) {
        const std::string name = "Content-Length: ";
        const std::size_t at = head.find(name);
        if (at == std::string::npos) return 0;
        return std::strtoul(head.c_str() + at + name.size(), nullptr, 10);
    }

    int descriptor_;
    std::string rest_;
    bool has_waited_in_vain_ = false;
};

/// "HTTP/1.1 404 Not Found..." as 404; 0 when it isn't a response.
inline int status_of(const std::string& response) {
    if (!response.starts_with("HTTP/1.1 ")) return 0;
    return std::atoi(response.c_str() + 9);
}

}  // namespace twophase::http::test
