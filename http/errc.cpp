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
            case Errc::malformed: return "not HTTP, or against our limits";
            case Errc::closing: return "the client was closed";
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
