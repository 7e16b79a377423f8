// Stands in front of a server of ours and hides from it what the content type was: our server would
// refuse a wrong one before any handler could be lax about it.
#pragma once

#include "tests/http/live.hpp"

#include <string>
#include <thread>

namespace twophase::conformance {

class TypeBlind {
public:
    explicit TypeBlind(std::uint16_t behind) : behind_(behind) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        // The kernel takes addresses as this type alone.
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        socklen_t size = sizeof(address);
        if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 64) != 0 ||
            ::getsockname(listener_, generic, &size) != 0)
            throw std::runtime_error("cannot listen");
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~TypeBlind() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    TypeBlind(const TypeBlind&) = delete;
    TypeBlind& operator=(const TypeBlind&) = delete;

    std::uint16_t port() const { return port_; }

private:
    void serve() {
        for (int peer = -1; (peer = ::accept(listener_, nullptr, nullptr)) >= 0;) {
            http::test::RawSocket asking(peer);
            std::string request = asking.read_message();
            for (const char* type : {"text/plain", "application/x-www-form-urlencoded"}) {
                const std::size_t at = request.find(type);
                if (at != request.npos)
                    request.replace(at, std::string(type).size(), "application/json");
            }
            auto answering = http::test::RawSocket::to(behind_);
            answering.send(request);
            asking.send(answering.read_message());
        }
    }

    std::uint16_t behind_;
    std::uint16_t port_ = 0;
    int listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    std::thread thread_;
};

}  // namespace twophase::conformance
