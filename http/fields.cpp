#include "http/fields.hpp"

#include "http/instant.hpp"
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
    if (!rule.has_controls) text += " without control characters";
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

bool fits(std::string_view text, const Fields::Text& rule) {
    if (text.size() < rule.min_bytes || text.size() > rule.max_bytes) return false;
    if (!rule.has_controls && has_control(text)) return false;
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

Fields::Fields(const Value& object, std::string path) : object_(&object), path_(std::move(path)) {
    if (!object.is_object()) error_ = FieldError{path_, "a JSON object"};
}

bool Fields::has(std::string_view name) const { return object_->find(name) != nullptr; }

std::string Fields::text(std::string_view name, Text rule) {
    auto text = optional_text(name, rule);
    if (!text) fail(name, describe(rule));
    return std::move(text).value_or("");
}

std::optional<std::string> Fields::optional_text(std::string_view name, Text rule) {
    const Value* member = find(name);
    if (!member) return std::nullopt;
    if (member->is_text() && fits(member->text(), rule)) return std::string(member->text());
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
    const Value* member = find(name);
    if (!member) return std::nullopt;
    const auto number = member->exact_integer();
    if (number && *number >= min && *number <= max) return number;
    fail(name, describe_range(min, max));
    return std::nullopt;
}

std::optional<std::int64_t> Fields::optional_instant(std::string_view name, Years rule) {
    const Value* member = find(name);
    if (!member) return std::nullopt;
    const auto time = parse_instant(member->text());
    const auto beginning = [](int year) {
        return parse_instant(std::to_string(year) + "-01-01T00:00:00Z").value();
    };
    if (time && *time >= beginning(rule.first) && *time < beginning(rule.last + 1)) return time;
    fail(name,
         std::string(expected_instant) + ", of the years " + std::to_string(rule.first) + " to " +
             std::to_string(rule.last));
    return std::nullopt;
}

std::optional<bool> Fields::optional_boolean(std::string_view name) {
    const Value* member = find(name);
    if (!member) return std::nullopt;
    if (member->is_boolean()) return member->boolean();
    fail(name, "true or false");
    return std::nullopt;
}

const Value* Fields::object(std::string_view name) {
    const Value* member = optional_object(name);
    if (!member) fail(name, "an object");
    return member;
}

const Value* Fields::array(std::string_view name, std::size_t min_items, std::size_t max_items) {
    const Value* member = optional_array(name, min_items, max_items);
    if (!member) fail(name, describe_items(min_items, max_items));
    return member;
}

const Value* Fields::optional_object(std::string_view name) {
    const Value* member = find(name);
    if (!member || member->is_object()) return member;
    fail(name, "an object");
    return nullptr;
}

const Value* Fields::optional_array(std::string_view name,
                                    std::size_t min_items,
                                    std::size_t max_items) {
    const Value* member = find(name);
    if (!member) return nullptr;
    if (member->is_array() && member->size() >= min_items && member->size() <= max_items) {
        return member;
    }
    fail(name, describe_items(min_items, max_items));
    return nullptr;
}

void Fields::fail(std::string_view name, std::string expected) {
    fail(FieldError{path_of(name), std::move(expected)});
}

void Fields::fail(FieldError error) {
    if (!error_) error_ = std::move(error);
}

const std::optional<FieldError>& Fields::finish() {
    if (error_) return error_;
    for (const Value& member : *object_)
        if (std::ranges::find(read_, &member) == read_.end())
            fail(member.name(), "no member of this name");
    return error_;
}

std::string Fields::path_of(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

const Value* Fields::find(std::string_view name) {
    const Value* member = object_->find(name);
    if (!member) return nullptr;
    if (read_.empty()) read_.reserve(object_->size());
    read_.push_back(member);
    return member;
}

}  // namespace twophase::http
