#include "http/errc.hpp"

#include <boost/system/error_category.hpp>

#include <string>

namespace twophase::http {

namespace {

// Boost's base class has no virtual destructor, so that categories can be constants; none is ever
// destroyed through it.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class Category final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "twophase.http"; }

    std::string message(int value) const override {
        switch (static_cast<Errc>(value)) {
            case Errc::bad_endpoint: return "not a usable http:// or file: URL";
            case Errc::unreachable: return "no connection to the peer";
            case Errc::unresolved: return "no address for the peer's host name";
            case Errc::timed_out: return "no whole answer by the deadline";
            case Errc::cut: return "the connection ended before the whole answer";
            case Errc::malformed: return "the method or target can't be sent";
            case Errc::closing: return "the client was closed";
            case Errc::bad_head: return "the head isn't HTTP/1";
            case Errc::bad_head_bytes: return "the head has a bare CR or LF, or a control byte";
            case Errc::head_too_long: return "the head is too long";
            case Errc::too_many_headers: return "there are too many headers";
            case Errc::no_status_line: return "the answer doesn't begin as HTTP/1 does";
            case Errc::no_head_end: return "the head has no end, or two";
            case Errc::folded_header: return "a header is folded";
            case Errc::bad_header_name: return "a header has no proper name";
            case Errc::bad_header_value: return "a header's value has odd bytes";
            case Errc::header_twice:
                return "Content-Length, Transfer-Encoding, Content-Type or Content-Encoding is "
                       "given twice";
            case Errc::length_and_chunked:
                return "both Content-Length and Transfer-Encoding are given";
            case Errc::chunked_in_http10: return "HTTP/1.0 has no Transfer-Encoding";
            case Errc::other_coding: return "the only transfer encoding is chunked";
            case Errc::bad_length: return "Content-Length isn't a plain number";
            case Errc::switches_protocols: return "the answer switches protocols, unasked";
            case Errc::too_many_interim: return "too many answers of 1xx come before the answer";
            case Errc::too_large: return "the body is larger than allowed";
            case Errc::bad_chunks: return "the chunks aren't properly framed";
            case Errc::trailers_too_long: return "the trailers are too long";
            case Errc::not_whole_json:
                return "the body ends with the connection and is no whole JSON object or array";
        }
        return "unknown";
    }
};
#pragma GCC diagnostic pop

}  // namespace

boost::system::error_code make_error_code(Errc e) {
    static const Category category;
    return {static_cast<int>(e), category};
}

}  // namespace twophase::http
