#include "recovery/recoveryctl/query.hpp"

namespace twophase::recoveryctl {

std::string percent_encoded(const std::string& text) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (is_plain)
            encoded += c;
        else
            encoded += {'%', digits[byte >> 4], digits[byte & 15]};
    }
    return encoded;
}

void add_to_query(std::string& query, const char* name, const std::string& value) {
    if (!value.empty()) query += std::string("&") + name + "=" + percent_encoded(value);
}

}  // namespace twophase::recoveryctl
