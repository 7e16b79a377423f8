// Reads JSON from outside with types and ranges; errors name the field.
#pragma once

#include "http/document.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::http {

/// Reads the members of one JSON object strictly. The first violation is kept, later reads then
/// give defaults, so that a reader is straight-line code with one check at its end.
///
///     Fields fields(document.root(), "branches[0]");
///     branch.id = fields.text("branch_id", {.max_bytes = 64});
///     branch.amount = fields.integer("amount", 1, max_amount);
///     if (auto error = fields.finish()) return *error;
class Fields {
public:
    struct Text {
        std::size_t min_bytes = 1;
        std::size_t max_bytes = 256;
        /// When set: every byte must be one of these classes' members, e.g. "A-Za-z0-9_-".
        const char* allowed = nullptr;
        /// Control characters of ASCII may be in it, such as line ends.
        bool has_controls = true;
    };

    /// `object` must outlive this. Not an object: a violation at `path`.
    explicit Fields(const Value& object, std::string path = {});

    bool has(std::string_view name) const;

    std::string text(std::string_view name, Text rule);
    std::optional<std::string> optional_text(std::string_view name, Text rule);
    /// Exact integers only: 1.0, "1", true and -0 are refused.
    std::int64_t integer(std::string_view name, std::int64_t min, std::int64_t max);
    std::optional<std::int64_t> optional_integer(std::string_view name,
                                                 std::int64_t min,
                                                 std::int64_t max);
    /// A time in RFC 3339, as microseconds since 1970, within the years that `rule` names. A number
    /// is refused: nobody could tell its unit.
    struct Years {
        int first;
        int last;
    };
    std::optional<std::int64_t> optional_instant(std::string_view name, Years rule);
    std::optional<bool> optional_boolean(std::string_view name);
    /// The member itself, of the given kind; nullptr (and a violation) when absent or another kind.
    const Value* object(std::string_view name);
    const Value* array(std::string_view name, std::size_t min_items, std::size_t max_items);
    const Value* optional_object(std::string_view name);
    const Value* optional_array(std::string_view name,
                                std::size_t min_items,
                                std::size_t max_items);

    /// Keeps a violation of the caller's own at `name`, unless one is kept already.
    void fail(std::string_view name, std::string expected);
    void fail(FieldError error);

    /// The first violation, if any.
    const std::optional<FieldError>& error() const { return error_; }
    /// As error(), after refusing members that nobody read.
    const std::optional<FieldError>& finish();

    /// "path.name".
    std::string path_of(std::string_view name) const;

private:
    const Value* find(std::string_view name);

    const Value* object_;
    std::string path_;
    std::vector<const Value*> read_;  // members that somebody asked for
    std::optional<FieldError> error_;
};

/// Either part of a business key. It is looked up in queries, so it has only what these may have.
constexpr Fields::Text business_key_rule{.max_bytes = 128, .has_controls = false};

}  // namespace twophase::http
