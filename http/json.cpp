#include "http/json.hpp"

#include "http/text.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace twophase::http {

namespace {

// Builds the tree while the text is read, so that nothing beyond the limits is ever built: copying
// or printing a tree of great depth would overflow the stack.
class Builder final : public nlohmann::json_sax<Json> {
public:
    explicit Builder(const JsonLimits& limits) : limits_(limits) {}

    bool null() override { return put(nullptr); }
    bool boolean(bool value) override { return put(value); }
    bool number_unsigned(number_unsigned_t value) override { return put(value); }

    bool number_integer(number_integer_t value) override {
        // Only "-0" comes here as zero. As a double it stays what it is, and no integer.
        return value == 0 ? put(-0.0) : put(value);
    }

    bool number_float(number_float_t value, const string_t& text) override {
        if (!std::isfinite(value)) return refuse("a number within a double's range");
        // nlohmann would round an integer beyond 64 bits without a word.
        if (text.find_first_of(".eE") == std::string::npos) {
            return refuse("an integer of at most 64 bits");
        }
        return put(value);
    }

    bool string(string_t& value) override {
        if (value.find('\0') != std::string::npos) return refuse("text without U+0000");
        return put(std::move(value));
    }

    bool binary(binary_t& /*value*/) override { return refuse("JSON"); }

    bool start_object(std::size_t /*members*/) override { return open(Json::object()); }

    bool key(string_t& name) override {
        Level& level = levels_.back();
        level.member = nullptr;
        if (name.find('\0') != std::string::npos) return refuse("names without U+0000");
        auto& members = level.json->get_ref<Json::object_t&>();
        // Its value's place, looked up once.
        const auto [member, is_new] = members.try_emplace(std::move(name));
        level.member = &*member;
        if (!is_new) return refuse("each member once");
        if (members.size() > limits_.members) {
            return refuse("at most " + std::to_string(limits_.members) + " members");
        }
        return true;
    }

    bool end_object() override { return close(); }
    bool start_array(std::size_t /*elements*/) override { return open(Json::array()); }
    bool end_array() override { return close(); }

    bool parse_error(std::size_t position,
                     const std::string& /*last_token*/,
                     const nlohmann::detail::exception& error) override {
        constexpr int out_of_range = 406;
        if (error.id == out_of_range) return refuse("a number within a double's range");
        return refuse("well-formed JSON (at byte " + std::to_string(position) + ")");
    }

    Json take() { return std::move(root_); }
    FieldError error() const { return error_; }

private:
    struct Level {
        Json* json;
        Json::object_t::value_type* member = nullptr;  // being read, when json is an object
    };

    // The place for the next value. Containers that are complete never move again while open ones
    // point into them, because only the innermost one grows.
    Json& place(Json value) {
        if (levels_.empty()) return root_ = std::move(value);
        Json& parent = *levels_.back().json;
        if (parent.is_object()) return levels_.back().member->second = std::move(value);
        parent.push_back(std::move(value));
        return parent.back();
    }

    template <class Value>
    bool put(Value&& value) {
        place(Json(std::forward<Value>(value)));
        return true;
    }

    bool open(Json container) {
        if (levels_.size() == limits_.depth) {
            return refuse("at most " + std::to_string(limits_.depth) + " levels of nesting");
        }
        Json& placed = place(std::move(container));
        levels_.push_back({&placed});
        return true;
    }

    bool close() {
        levels_.pop_back();
        if (!levels_.empty()) levels_.back().member = nullptr;
        return true;
    }

    bool refuse(std::string expected) {
        if (error_.expected.empty()) error_ = {path(), std::move(expected)};
        return false;
    }

    // "branches[1].payload.amount" for the value being read.
    std::string path() const {
        std::string out;
        for (const Level& level : levels_) {
            if (level.json->is_array()) {
                // A nested container is in its array already, a plain value not yet.
                const bool is_placed = &level != &levels_.back();
                const std::size_t index = level.json->size() - (is_placed ? 1 : 0);
                out += "[" + std::to_string(index) + "]";
            } else if (level.member != nullptr && !level.member->first.empty()) {
                out += (out.empty() ? "" : ".") + level.member->first;
            }
        }
        return out;
    }

    JsonLimits limits_;
    Json root_;
    std::vector<Level> levels_;
    FieldError error_;
};

constexpr std::string_view bytes_text = " bytes";

std::string describe(const Fields::Text& rule) {
    std::string text = "text of ";
    if (rule.min_bytes == rule.max_bytes) {
        text += std::to_string(rule.min_bytes);
    } else {
        text += std::to_string(rule.min_bytes) + " to " + std::to_string(rule.max_bytes);
    }
    text += bytes_text;
    if (rule.allowed) text += std::string(" of ") + rule.allowed;
    return text;
}

// "A-Za-z0-9_-": ranges, and a hyphen of its own at the end.
bool is_allowed(char c, std::string_view classes) {
    for (std::size_t i = 0; i < classes.size(); ++i) {
        if (i + 2 < classes.size() && classes[i + 1] == '-') {
            if (c >= classes[i] && c <= classes[i + 2]) return true;
            i += 2;
        } else if (c == classes[i]) {
            return true;
        }
    }
    return false;
}

bool fits(const std::string& text, const Fields::Text& rule) {
    if (text.size() < rule.min_bytes || text.size() > rule.max_bytes) return false;
    return !rule.allowed ||
           std::ranges::all_of(text, [&rule](char c) { return is_allowed(c, rule.allowed); });
}

std::string describe_range(std::int64_t min, std::int64_t max) {
    return "an integer from " + std::to_string(min) + " to " + std::to_string(max);
}

std::string describe_items(std::size_t min_items, std::size_t max_items) {
    return "an array of " + std::to_string(min_items) + " to " + std::to_string(max_items) +
           " items";
}

}  // namespace

std::optional<std::int64_t> exact_integer(const Json& value) {
    if (value.is_number_unsigned()) {
        const auto number = value.get<std::uint64_t>();
        if (!std::in_range<std::int64_t>(number)) return std::nullopt;
        return static_cast<std::int64_t>(number);
    }
    if (value.is_number_integer()) return value.get<std::int64_t>();
    return std::nullopt;
}

boost::system::result<Json, FieldError> parse_json(std::string_view text, JsonLimits limits) {
    using Parsed = boost::system::result<Json, FieldError>;
    // nlohmann takes a NUL byte for the end of the text.
    if (text.find('\0') != std::string_view::npos) {
        return Parsed(boost::system::in_place_error, FieldError{{}, "JSON without NUL bytes"});
    }
    Builder builder(limits);
    const bool is_whole = Json::sax_parse(text.begin(),
                                          text.end(),
                                          &builder,
                                          nlohmann::detail::input_format_t::json,
                                          true,
                                          limits.comments);
    if (!is_whole) return Parsed(boost::system::in_place_error, builder.error());
    return Parsed(boost::system::in_place_value, builder.take());
}

std::string dump(const Json& value) { return value.dump(); }

std::string dump_replacing(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Fields::Fields(const Json& object, std::string path) : object_(&object), path_(std::move(path)) {
    static const Json nothing = Json::object();
    if (object.is_object()) return;
    error_ = FieldError{path_, "a JSON object"};
    object_ = &nothing;
}

bool Fields::has(std::string_view name) const { return object_->contains(name); }

std::string Fields::text(std::string_view name, Text rule) {
    if (!has(name)) fail(name, describe(rule));
    return optional_text(name, rule).value_or("");
}

std::optional<std::string> Fields::optional_text(std::string_view name, Text rule) {
    const Json* member = find(name);
    if (!member) return std::nullopt;
    const auto* text = member->get_ptr<const std::string*>();
    if (text && fits(*text, rule)) return *text;
    fail(name, describe(rule));
    return std::nullopt;
}

std::int64_t Fields::integer(std::string_view name, std::int64_t min, std::int64_t max) {
    if (!has(name)) fail(name, describe_range(min, max));
    return optional_integer(name, min, max).value_or(0);
}

std::optional<std::int64_t> Fields::optional_integer(std::string_view name,
                                                     std::int64_t min,
                                                     std::int64_t max) {
    const Json* member = find(name);
    if (!member) return std::nullopt;
    const auto number = exact_integer(*member);
    if (number && *number >= min && *number <= max) return number;
    fail(name, describe_range(min, max));
    return std::nullopt;
}

std::optional<bool> Fields::optional_boolean(std::string_view name) {
    const Json* member = find(name);
    if (!member) return std::nullopt;
    if (member->is_boolean()) return member->get<bool>();
    fail(name, "true or false");
    return std::nullopt;
}

const Json* Fields::object(std::string_view name) {
    if (!has(name)) fail(name, "an object");
    return optional_object(name);
}

const Json* Fields::array(std::string_view name, std::size_t min_items, std::size_t max_items) {
    if (!has(name)) fail(name, describe_items(min_items, max_items));
    return optional_array(name, min_items, max_items);
}

const Json* Fields::optional_object(std::string_view name) {
    const Json* member = find(name);
    if (!member || member->is_object()) return member;
    fail(name, "an object");
    return nullptr;
}

const Json* Fields::optional_array(std::string_view name,
                                   std::size_t min_items,
                                   std::size_t max_items) {
    const Json* member = find(name);
    if (!member) return nullptr;
    if (member->is_array() && member->size() >= min_items && member->size() <= max_items) {
        return member;
    }
    fail(name, describe_items(min_items, max_items));
    return nullptr;
}

const Json* Fields::optional_any(std::string_view name) { return find(name); }

void Fields::fail(std::string_view name, std::string expected) {
    fail(FieldError{path_of(name), std::move(expected)});
}

void Fields::fail(FieldError error) {
    if (!error_) error_ = std::move(error);
}

const std::optional<FieldError>& Fields::finish() {
    for (const auto& member : object_->items()) {
        if (error_) break;
        if (std::ranges::find(read_, member.key()) == read_.end()) {
            fail(member.key(), "no member of this name");
        }
    }
    return error_;
}

std::string Fields::path_of(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

const Json* Fields::find(std::string_view name) {
    read_.emplace_back(name);
    const auto member = object_->find(name);
    return member == object_->end() ? nullptr : &*member;
}

}  // namespace twophase::http
