#include "http/message.hpp"

#include "http/text.hpp"

namespace twophase::http {

namespace {

std::string_view find(const std::vector<Header>& headers, std::string_view name) {
    for (const Header& header : headers) {
        if (equal_ignoring_case(header.name, name)) return header.value;
    }
    return {};
}

}  // namespace

std::string_view Request::header(std::string_view name) const { return find(headers, name); }

std::string_view Response::header(std::string_view name) const { return find(headers, name); }

}  // namespace twophase::http
