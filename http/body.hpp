// Reads a message's body through Beast's parser, once our own gate has read its head.
// Included by .cpp files only: Beast is heavy.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace twophase::http {

/// One message's parser. `is_request` as in Beast.
template <bool is_request>
class BodyReader {
public:
    enum class State { reading, whole, malformed, too_long, trailers_too_long };

    BodyReader(std::uint64_t max_body_bytes, std::size_t max_head_bytes) {
        parser_.body_limit(max_body_bytes);
        parser_.header_limit(static_cast<std::uint32_t>(max_head_bytes));
        parser_.eager(true);
    }

    /// For answers that have no body whatever their head says (to HEAD).
    void skip_body() { parser_.skip(true); }

    /// Takes the head, which the gate has let through, off the front of `buffer`.
    State take_head(boost::beast::flat_buffer& buffer, std::size_t head_bytes) {
        boost::beast::error_code error;
        const auto head = boost::asio::buffer(buffer.data(), head_bytes);
        const std::size_t taken = parser_.put(head, error);
        // The two parsers must agree on where the head ends.
        if (taken != head_bytes || !parser_.is_header_done()) return State::malformed;
        buffer.consume(taken);
        header_bytes_ = count_header_bytes();
        return state_after(error);
    }

    /// Takes what belongs to the body off the front of `buffer`.
    State take_body(boost::beast::flat_buffer& buffer) {
        boost::beast::error_code error;
        while (!parser_.is_done() && buffer.size() > 0) {
            const std::size_t taken = parser_.put(buffer.data(), error);
            buffer.consume(taken);
            if (error || taken == 0) break;
        }
        if (state_after(error) == State::reading &&
            buffer.size() > max_chunk_head_bytes + max_trailer_bytes) {
            return State::malformed;
        }
        return state_after(error);
    }

    bool is_chunked() const { return parser_.chunked(); }
    std::size_t bytes() const { return parser_.get().body().size(); }
    std::string take() { return std::move(parser_.get().body()); }

private:
    // Chunk sizes and extensions; whatever is longer isn't meant well.
    static constexpr std::size_t max_chunk_head_bytes = 4096;
    // Trailers would be headers that the gate hasn't seen. Of an answer they are dropped; a request
    // with some is refused, as the next reader might not drop them.
    static constexpr std::size_t max_trailer_bytes = is_request ? 0 : max_chunk_head_bytes;

    State state_after(const boost::beast::error_code& error) const {
        namespace http = boost::beast::http;
        if (error == http::error::body_limit) return State::too_long;
        if (error && error != http::error::need_more) return State::malformed;
        if (!parser_.is_done()) return State::reading;
        if (count_header_bytes() - header_bytes_ <= max_trailer_bytes) return State::whole;
        return is_request ? State::malformed : State::trailers_too_long;
    }

    // Of headers and trailers, as they stand in lines.
    std::size_t count_header_bytes() const {
        std::size_t bytes = 0;
        for (const auto& field : parser_.get())
            bytes += field.name_string().size() + field.value().size() + 4;
        return bytes;
    }

    boost::beast::http::parser<is_request, boost::beast::http::string_body> parser_;
    std::size_t header_bytes_ = 0;
};

}  // namespace twophase::http
