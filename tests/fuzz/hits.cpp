#include "tests/fuzz/hits.hpp"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

namespace twophase::fuzz {
namespace {

class Hits {
public:
    ~Hits() {
        for (const auto& [name, count] : counts_)
            std::fprintf(stderr, "reached %s: %zu\n", name.c_str(), count);
    }
    void count(std::string_view name) {
        const auto found = counts_.find(name);
        if (found == counts_.end()) {
            counts_.emplace(name, 1);
        } else {
            ++found->second;
        }
    }

private:
    std::map<std::string, std::size_t, std::less<>> counts_;
};

}  // namespace

void reached(std::string_view what) {
    static Hits hits;
    hits.count(what);
}

void require(bool claim, std::string_view message) {
    if (claim) return;
    std::fprintf(
        stderr, "broken property: %.*s\n", static_cast<int>(message.size()), message.data());
    std::abort();
}

}  // namespace twophase::fuzz
