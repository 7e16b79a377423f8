#include "http/document.hpp"

#include "http/json.hpp"
#include "http/json_text.hpp"

#include <boost/container/small_vector.hpp>
#include <boost/json/basic_parser_impl.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <utility>

namespace twophase::http {

/// What Boost.JSON reads becomes a document. It says of what it refuses neither where nor why, and
/// refuses a little more than it need: what it does, parse_json() reads again.
class DocumentBuilder {
public:
    using Error = boost::json::error_code;
    using Text = boost::json::string_view;
    static constexpr std::size_t max_object_size = std::size_t(-1);
    static constexpr std::size_t max_array_size = std::size_t(-1);
    static constexpr std::size_t max_key_size = std::size_t(-1);
    static constexpr std::size_t max_string_size = std::size_t(-1);

    DocumentBuilder(std::string_view source, const JsonLimits& limits)
        : source_(source), limits_(limits) {
        constexpr std::size_t usual_bytes = 24;  // of text for each value
        document_.values_.reserve(source.size() / usual_bytes + 1);
    }

    /// `tree`: what the texts stand in, where the document is to keep it.
    Document take(std::shared_ptr<const void> tree = {}) {
        document_.tree_ = std::move(tree);
        return std::move(document_);
    }

    /// Builds from a tree, whose texts stay where they are.
    void add_tree(std::string_view name, const Json& tree) {
        name_ = name;
        const bool is_container = tree.is_structured();
        if (is_container) open(tree.is_object() ? Value::Kind::object : Value::Kind::array);
        if (tree.is_object())
            for (const auto& [key, member] : tree.items()) add_tree(key, member);
        else if (tree.is_array())
            for (const Json& item : tree) add_tree({}, item);
        else
            add_scalar(tree);
        if (is_container) close();
    }

    // clang-format off
    bool on_document_begin(Error&) { return true; }
    bool on_document_end(Error&) { return true; }
    bool on_object_begin(Error& e) { return open_within_limits(Value::Kind::object, e); }
    bool on_object_end(std::size_t, Error&) { return close(); }
    bool on_array_begin(Error& e) { return open_within_limits(Value::Kind::array, e); }
    bool on_array_end(std::size_t, Error&) { return close(); }
    bool on_key_part(Text part, std::size_t, Error&) { return gather(part); }
    bool on_string_part(Text part, std::size_t, Error&) { return gather(part); }
    bool on_number_part(Text, Error&) { return true; }
    bool on_comment_part(Text, Error&) { return true; }
    bool on_comment(Text, Error&) { return true; }
    // clang-format on

    bool on_key(Text last, std::size_t, Error& e) {
        name_ = whole(last);
        const Value& object = document_.values_[levels_.back()];
        const bool is_known = std::any_of(
            members_of_open(), end_of_open(), [this](const Value& v) { return v.name_ == name_; });
        return check(!has_zero(name_) && !is_known && object.size_ < limits_.members, e);
    }

    bool on_string(Text last, std::size_t, Error& e) {
        const std::string_view text = whole(last);
        add(Kind::text).text_ = text;
        return check(!has_zero(text), e);
    }

    bool on_int64(std::int64_t number, Text digits, Error&) {
        if (number == 0 && digits.front() == '-')
            add(Value::Kind::real).real_ = -0.0;
        else
            add(Value::Kind::integer).integer_ = number;
        return true;
    }

    bool on_uint64(std::uint64_t number, Text, Error&) {
        add_unsigned(number);
        return true;
    }

    bool on_double(double, Text digits, Error& e) {
        // Without a point it is an integer beyond 64 bits, which would be rounded without a word.
        if (!limits_.long_integers && digits.find_first_of(".eE") == Text::npos)
            return check(false, e);
        // Boost.JSON 1.81 may be off in the last place, strtod is not.
        const double number = std::strtod(std::string(digits.data(), digits.size()).c_str(), {});
        add(Value::Kind::real).real_ = number;
        return check(std::isfinite(number), e);
    }

    bool on_bool(bool value, Error&) {
        add(Value::Kind::boolean).integer_ = value ? 1 : 0;
        return true;
    }

    bool on_null(Error&) {
        add(Value::Kind::null);
        return true;
    }

private:
    using Kind = Value::Kind;

    Value& add(Kind kind) {
        if (!levels_.empty()) ++document_.values_[levels_.back()].size_;
        Value& value = document_.values_.emplace_back();
        value.kind_ = kind;
        value.name_ = std::exchange(name_, {});
        return value;
    }

    void add_unsigned(std::uint64_t number) {
        if (std::in_range<std::int64_t>(number))
            add(Kind::integer).integer_ = static_cast<std::int64_t>(number);
        else
            add(Kind::large).large_ = number;
    }

    void add_scalar(const Json& tree) {
        if (tree.is_string())
            add(Kind::text).text_ = tree.get_ref<const std::string&>();
        else if (tree.is_boolean())
            add(Kind::boolean).integer_ = tree.get<bool>() ? 1 : 0;
        else if (tree.is_number_unsigned())
            add_unsigned(tree.get<std::uint64_t>());
        else if (tree.is_number_integer())
            add(Kind::integer).integer_ = tree.get<std::int64_t>();
        else if (tree.is_number())
            add(Kind::real).real_ = tree.get<double>();
        else
            add(Kind::null);
    }

    void open(Kind kind) {
        add(kind);
        levels_.push_back(static_cast<std::uint32_t>(document_.values_.size() - 1));
    }

    bool open_within_limits(Kind kind, Error& e) {
        if (!check(levels_.size() < limits_.depth, e)) return false;
        open(kind);
        return true;
    }

    bool close() {
        const std::uint32_t at = levels_.back();
        document_.values_[at].span_ = static_cast<std::uint32_t>(document_.values_.size() - at);
        levels_.pop_back();
        return true;
    }

    Value::Iterator members_of_open() const {
        return Value::Iterator(document_.values_.data() + levels_.back() + 1);
    }
    Value::Iterator end_of_open() const {
        return Value::Iterator(document_.values_.data() + document_.values_.size());
    }

    bool gather(Text part) {
        // What is meant is never longer than how it is written, so this one never moves.
        if (!document_.unescaped_)
            document_.unescaped_ = std::make_unique_for_overwrite<char[]>(source_.size());
        std::memcpy(document_.unescaped_.get() + used_ + gathered_, part.data(), part.size());
        gathered_ += part.size();
        return true;
    }

    /// The whole text that `last` is the last part of.
    std::string_view whole(Text last) {
        const std::less<> before;
        const char* end = source_.data() + source_.size();
        const bool is_in_source = !before(last.data(), source_.data()) && before(last.data(), end);
        if (last.empty() && gathered_ == 0) return {};
        if (gathered_ == 0 && is_in_source) return {last.data(), last.size()};
        gather(last);
        const std::size_t begin = std::exchange(used_, used_ + gathered_);
        return {document_.unescaped_.get() + begin, std::exchange(gathered_, 0)};
    }

    static bool has_zero(std::string_view text) { return text.find('\0') != text.npos; }

    static bool check(bool goes_on, Error& e) {
        if (!goes_on) e = boost::json::error::exception;  // any
        return goes_on;
    }

    std::string_view source_;
    JsonLimits limits_;
    Document document_;
    boost::container::small_vector<std::uint32_t, 32> levels_;  // the open ones' places
    std::string_view name_;                                     // of the next value
    std::size_t used_ = 0;                                      // of what is unescaped
    std::size_t gathered_ = 0;  // behind that, of the text being read
};

namespace {

/// Nothing when it is no JSON, or beyond the limits.
std::optional<Document> read_fast(std::string_view text, const JsonLimits& limits) {
    // RFC 8259 (8.1) lets a reader ignore it, as nlohmann does.
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    boost::json::parse_options options;
    options.max_depth = limits.depth + 1;  // so that it is the builder that refuses
    boost::json::basic_parser<DocumentBuilder> parser(options, text, limits);
    boost::json::error_code error;
    const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
    if (error || !parser.done() || read != text.size()) return std::nullopt;
    return parser.handler().take();
}

void append_members(std::string& to, const Value& object) {
    boost::container::small_vector<const Value*, 32> members;
    for (const Value& member : object) members.push_back(&member);
    std::ranges::sort(members, {}, [](const Value* member) { return member->name(); });
    to += '{';
    for (const Value* member : members) {
        if (member != members.front()) to += ',';
        append_quoted(to, member->name());
        to += ':';
        member->append_to(to);
    }
    to += '}';
}

}  // namespace

std::optional<std::int64_t> Value::exact_integer() const {
    if (kind_ != Kind::integer) return std::nullopt;
    return integer_;
}

const Value* Value::find(std::string_view name) const {
    if (!is_object()) return nullptr;
    const auto found =
        std::find_if(begin(), end(), [name](const Value& v) { return v.name_ == name; });
    return found == end() ? nullptr : &*found;
}

void Value::append_to(std::string& text) const {
    switch (kind_) {
        case Kind::null: text += "null"; return;
        case Kind::boolean: text += boolean() ? "true" : "false"; return;
        case Kind::integer: text += std::to_string(integer_); return;
        case Kind::large: text += std::to_string(large_); return;
        case Kind::real: text += Json(real_).dump(); return;
        case Kind::text: return append_quoted(text, text_);
        case Kind::object: return append_members(text, *this);
        case Kind::array: break;
    }
    text += '[';
    bool is_first = true;
    for (const Value& item : *this) {
        if (!std::exchange(is_first, false)) text += ',';
        item.append_to(text);
    }
    text += ']';
}

boost::system::result<Document, FieldError> read_json(std::string_view text,
                                                      const JsonLimits& limits) {
    using Read = boost::system::result<Document, FieldError>;
    if (auto document = read_fast(text, limits)) return Read(*std::move(document));
    auto parsed = parse_json(text, limits);
    if (!parsed) return Read(parsed.error());
    // Boost.JSON has no comments, and takes no exponent beyond 31 bits, though 1e-9999999999 is 0.
    const auto tree = std::make_shared<const Json>(*std::move(parsed));
    DocumentBuilder builder({}, limits);
    builder.add_tree({}, *tree);
    return Read(builder.take(tree));
}

Document document_of(const Json& tree) {
    DocumentBuilder builder({}, {});
    builder.add_tree({}, tree);
    return builder.take();
}

std::string dump(const Value& value) {
    std::string text;
    value.append_to(text);
    return text;
}

}  // namespace twophase::http
