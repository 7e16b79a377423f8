// Raw requests, and what to look for in raw answers.
#pragma once

#include "http/message.hpp"

#include <string>

namespace twophase::http::test {

inline const std::string host = "Host: localhost\r\n";
inline const std::string json = "Content-Type: application/json\r\n";

inline const std::string chunked = "Transfer-Encoding: chunked\r\n";

inline std::string get(const std::string& target) {
    return "GET " + target + " HTTP/1.1\r\n" + host + "\r\n";
}

inline std::string post(const std::string& target, const std::string& body) {
    return "POST " + target + " HTTP/1.1\r\n" + host + json +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

inline std::string body_of(const std::string& message) {
    const std::size_t end = message.find("\r\n\r\n");
    return end == std::string::npos ? "" : message.substr(end + 4);
}

inline bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

inline std::string with_headers(const std::string& headers, const std::string& body = "") {
    return "POST /x HTTP/1.1\r\n" + host + json + headers + "\r\n" + body;
}

inline std::string with_target(const std::string& target) {
    return "GET " + target + " HTTP/1.1\r\n" + host + "\r\n";
}

inline Response echo_of(const Request& request) {
    Response response;
    response.body = request.method + " " + request.path + " " + request.body;
    response.content_type = "text/plain";
    return response;
}

inline void echo(const Request& request, const Respond& respond) { respond(echo_of(request)); }

}  // namespace twophase::http::test
