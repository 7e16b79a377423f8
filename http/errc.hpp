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
    malformed,         // not HTTP, or against our limits
    closing,           // the client was closed
};

boost::system::error_code make_error_code(Errc e);

template <class T>
using Result = boost::system::result<T>;

}  // namespace twophase::http

template <>
struct boost::system::is_error_code_enum<twophase::http::Errc> : std::true_type {};
