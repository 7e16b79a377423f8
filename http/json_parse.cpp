// Text from outside becomes a tree of nlohmann's, within limits.
#include "http/json.hpp"

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
        if (!limits_.long_integers && text.find_first_of(".eE") == std::string::npos) {
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

}  // namespace

boost::system::result<Json, FieldError> parse_json(std::string_view text, JsonLimits limits) {
    using Parsed = boost::system::result<Json, FieldError>;
    // nlohmann takes a NUL byte for the end of the text.
    if (text.find('\0') != std::string_view::npos)
        return Parsed(boost::system::in_place_error, FieldError{{}, "JSON without NUL bytes"});
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

}  // namespace twophase::http
