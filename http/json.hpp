// JSON from outside: parsed with limits, read with types and ranges, errors that name the field.
// Included by .cpp files only: nlohmann is heavy.
#pragma once

#include <boost/system/result.hpp>
#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::http {

using Json = nlohmann::json;

/// The first thing wrong with a JSON text. `field` is a path such as "branches[1].payload.amount",
/// empty for the whole text; `expected` is a sentence for the caller.
struct FieldError {
    std::string field;
    std::string expected;
};

struct JsonLimits {
    std::size_t depth = 16;
    std::size_t members = 64;  // in one object; elements of an array don't count
    bool comments = false;     // // and /* */ as in configuration files
};

/// Parses one JSON text. Refuses: excess depth or members (before a tree is built), duplicate keys,
/// invalid UTF-8, lone surrogates, U+0000 in any string, numbers beyond double, trailing bytes.
boost::system::result<Json, FieldError> parse_json(std::string_view text, JsonLimits limits = {});

/// Compact text. `replace` is for texts that only inform; without it invalid UTF-8 is a broken
/// invariant and throws.
std::string dump(const Json& value);
std::string dump_replacing(const Json& value);

/// The integer that `value` is; none for real numbers, also those without a fraction, for integers
/// beyond 64 bits and for all else.
std::optional<std::int64_t> exact_integer(const Json& value);

/// Reads the members of one JSON object strictly. The first violation is kept, later reads then
/// give defaults, so that a reader is straight-line code with one check at its end.
///
///     Fields fields(json, "branches[0]");
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
    };

    /// `object` must outlive this. Not an object: a violation at `path`.
    explicit Fields(const Json& object, std::string path = {});

    bool has(std::string_view name) const;

    std::string text(std::string_view name, Text rule);
    std::optional<std::string> optional_text(std::string_view name, Text rule);
    /// Exact integers only: 1.0, "1", true and -0 are refused.
    std::int64_t integer(std::string_view name, std::int64_t min, std::int64_t max);
    std::optional<std::int64_t> optional_integer(std::string_view name,
                                                 std::int64_t min,
                                                 std::int64_t max);
    std::optional<bool> optional_boolean(std::string_view name);
    /// The member itself, of the given kind; nullptr (and a violation) when absent or another kind.
    const Json* object(std::string_view name);
    const Json* array(std::string_view name, std::size_t min_items, std::size_t max_items);
    const Json* optional_object(std::string_view name);
    const Json* optional_array(std::string_view name, std::size_t min_items, std::size_t max_items);
    /// Any JSON value; nullptr when absent.
    const Json* optional_any(std::string_view name);

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
    const Json* find(std::string_view name);

    const Json* object_;
    std::string path_;
    std::vector<const Json*> read_;  // members that somebody asked for
    std::optional<FieldError> error_;
};

}  // namespace twophase::http
