// What can go wrong between us and a peer.
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

#include <type_traits>

namespace twophase::http {

enum class Errc {
    bad_endpoint = 1,  // the configured URL can't be used
    unreachable,       // no connection: refused, no route, no address file yet
    unresolved,        // no connection: no address is known for the host's name
    timed_out,         // no whole answer by the deadline
    cut,               // the connection ended before the whole answer
    malformed,         // the call has a method or a target that HTTP can't send
    closing,           // the client was closed
    // The rule that a message broke (http/README.md, "The gate"); nothing of it is used.
    bad_head,            // one that the second reader refuses
    bad_head_bytes,      // a bare CR or LF, or a control byte
    head_too_long,       // beyond our limit
    too_many_headers,    // beyond our limit
    no_status_line,      // doesn't begin with HTTP/1.x and a status
    no_head_end,         // the empty line that ends a head is missing, or not the last
    folded_header,       // goes on in a second line (obs-fold)
    bad_header_name,     // none, or with a space before the colon
    bad_header_value,    // control bytes, or no UTF-8
    header_twice,        // one that says where the body ends, or how to read it
    length_and_chunked,  // both Content-Length and Transfer-Encoding
    chunked_in_http10,   // which has no Transfer-Encoding
    other_coding,        // a Transfer-Encoding other than chunked
    bad_length,          // Content-Length isn't a plain number
    switches_protocols,  // which nobody asked for
    too_many_interim,    // answers of 1xx before the answer
    too_large,           // a body beyond our limit
    bad_chunks,          // their sizes or ends
    trailers_too_long,   // beyond our limit
    not_whole_json,      // ends with the connection, and is no JSON object or array
};

boost::system::error_code make_error_code(Errc e);

template <class T>
using Result = boost::system::result<T>;

}  // namespace twophase::http

template <>
struct boost::system::is_error_code_enum<twophase::http::Errc> : std::true_type {};
