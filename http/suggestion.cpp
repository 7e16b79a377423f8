#include "http/suggestion.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string_view>
#include <utility>

namespace twophase::http {
namespace {

// Insertions, deletions and replacements from one text to the other.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0U);
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

}  // namespace

std::string suggestion(const std::string& wrong, const std::vector<std::string>& known) {
    const auto nearest = std::ranges::min_element(
        known, {}, [&](const auto& name) { return distance(wrong, name); });
    const std::size_t close = std::max<std::size_t>(2, wrong.size() / 4);
    if (nearest == known.end() || distance(wrong, *nearest) > close) return "";
    return "; did you mean " + *nearest + "?";
}

}  // namespace twophase::http
