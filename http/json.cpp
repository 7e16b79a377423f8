#include "http/json.hpp"

#include "http/text.hpp"

#include <algorithm>
#include <utility>

namespace twophase::http {

namespace {

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
    auto text = optional_text(name, rule);
    if (!text) fail(name, describe(rule));
    return std::move(text).value_or("");
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
    const auto number = optional_integer(name, min, max);
    if (!number) fail(name, describe_range(min, max));
    return number.value_or(0);
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
    const Json* member = optional_object(name);
    if (!member) fail(name, "an object");
    return member;
}

const Json* Fields::array(std::string_view name, std::size_t min_items, std::size_t max_items) {
    const Json* member = optional_array(name, min_items, max_items);
    if (!member) fail(name, describe_items(min_items, max_items));
    return member;
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
    for (auto member = object_->begin(); member != object_->end() && !error_; ++member)
        if (std::ranges::find(read_, &*member) == read_.end())
            fail(member.key(), "no member of this name");
    return error_;
}

std::string Fields::path_of(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

const Json* Fields::find(std::string_view name) {
    const auto member = object_->find(name);
    if (member == object_->end()) return nullptr;
    if (read_.empty()) read_.reserve(object_->size());
    read_.push_back(&*member);
    return &*member;
}

}  // namespace twophase::http
