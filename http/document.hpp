// JSON from outside, read once and within limits. Its values lie in one row and its texts stay
// where they stand: reading a request takes two allocations, not two for each member.
#pragma once

#include <boost/system/result.hpp>
#include <nlohmann/json_fwd.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::http {

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
    /// Integers beyond 64 bits are taken, as real numbers: for texts whose own digits are kept.
    bool long_integers = false;
};

/// One value of a Document, and valid as long as that is. Its members or items stand right behind
/// it in the document's row, each followed by its own.
class Value {
public:
    /// Goes over members or items, in the order of the text.
    class Iterator {
    public:
        using value_type = Value;
        using difference_type = std::ptrdiff_t;
        Iterator() = default;
        explicit Iterator(const Value* at) : at_(at) {}
        const Value& operator*() const { return *at_; }
        const Value* operator->() const { return at_; }
        Iterator& operator++() {
            at_ += at_->span_;
            return *this;
        }
        Iterator operator++(int) {
            const Iterator before = *this;
            ++*this;
            return before;
        }
        bool operator==(const Iterator&) const = default;

    private:
        const Value* at_ = nullptr;
    };

    Value() : integer_(0) {}
    // A copy's members would not stand behind it.
    Value(const Value&) = delete;
    Value(Value&&) = default;

    bool is_object() const { return kind_ == Kind::object; }
    bool is_array() const { return kind_ == Kind::array; }
    bool is_text() const { return kind_ == Kind::text; }
    bool is_boolean() const { return kind_ == Kind::boolean; }
    bool is_null() const { return kind_ == Kind::null; }

    /// The name that its object has for it; empty elsewhere.
    std::string_view name() const { return name_; }
    /// Unescaped; empty for all but texts.
    std::string_view text() const { return is_text() ? text_ : std::string_view(); }
    bool boolean() const { return is_boolean() && integer_ != 0; }
    /// None for real numbers, also those without a fraction, for integers beyond 64 bits and for
    /// all that is no number. -0 is a real number.
    std::optional<std::int64_t> exact_integer() const;

    /// The number of members or items.
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    /// nullptr when this is no object, or has no such member.
    const Value* find(std::string_view name) const;
    Iterator begin() const { return Iterator(this + 1); }
    Iterator end() const { return Iterator(this + span_); }

    /// Appends it as JSON: compact, members sorted by name, as a tree of nlohmann's is printed.
    void append_to(std::string& text) const;

private:
    friend class DocumentBuilder;
    enum class Kind : std::uint8_t { null, boolean, integer, large, real, text, array, object };

    std::string_view name_;
    union {
        std::int64_t integer_;  // and of a boolean
        std::uint64_t large_;   // above an int64_t
        double real_;
        std::string_view text_;
    };
    std::uint32_t span_ = 1;  // values in the row: itself and all that is in it
    std::uint32_t size_ = 0;
    Kind kind_ = Kind::null;
};

/// A JSON text that was read. The text (or tree) that it was made of must outlive it.
class Document {
public:
    const Value& root() const { return values_.front(); }

private:
    friend class DocumentBuilder;
    std::vector<Value> values_;
    std::unique_ptr<char[]> unescaped_;  // texts that are not written as they are meant
    std::shared_ptr<const void> tree_;   // that it was made of, where nobody else has it
};

/// Reads one JSON text. Refuses: excess depth or members (before more is read), duplicate keys,
/// invalid UTF-8, lone surrogates, U+0000 in any string, numbers beyond double, trailing bytes.
boost::system::result<Document, FieldError> read_json(std::string_view text,
                                                      const JsonLimits& limits = {});
template <std::same_as<std::string> Text>
void read_json(Text&& text, const JsonLimits& limits = {}) = delete;
/// For a reader of documents where a tree is at hand, such as a configuration.
Document document_of(const nlohmann::json& tree);
Document document_of(nlohmann::json&& tree) = delete;

/// As Value::append_to().
std::string dump(const Value& value);

}  // namespace twophase::http
