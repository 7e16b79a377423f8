// What a participant says before anything is sent to it: which log of this coordinator it knows,
// and which store it has itself.
#pragma once

#include "http/document.hpp"
#include "wal/log.hpp"
#include "wal/token.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace twophase::coordinator {

/// A log or a store as somebody has seen it.
struct Seen {
    wal::Token log;
    std::uint64_t epoch = 0;
    wal::Token start;            // of that epoch
    std::uint64_t position = 0;  // the highest seen
    std::uint64_t began_at = 0;  // of a store: its last start's barrier; 0: not told
    std::vector<wal::Token> replaces;

    bool does_replace(const wal::Token& other) const;
    wal::SeenStore to_store() const { return {log, epoch, start, position}; }
};

/// What a store knows of an earlier start that was asked about.
struct EarlierStart {
    wal::Token start;            // none: it had no start of that epoch
    std::uint64_t position = 0;  // the last
};

struct Introduction {
    /// It doesn't know the question: a participant of others, which tells nothing below.
    bool is_foreign = true;
    bool is_configured = true;  // it knows whom to ask about our log
    std::optional<Seen> known;  // our log as it knows it; nothing: none of this id
    Seen store;
    /// Of the start that this log remembers of the store; nothing where it is still the same one,
    /// or it is not told.
    std::optional<EarlierStart> then;
};

/// Reads the first page of an in-doubt list. Nothing: it is no answer to the question with this
/// nonce.
std::optional<Introduction> read_introduction(const http::Value& body, const std::string& nonce);

/// Reads "<log> <epoch> <start> <position>", the headers of a participant's answers.
std::optional<Seen> read_seen(std::string_view header);

}  // namespace twophase::coordinator
