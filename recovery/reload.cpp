#include "recovery/reload.hpp"

#include "recovery/log_output.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

namespace twophase::recovery {
namespace {

constexpr auto log_level = "log_level";

/// Separated by commas.
std::string names_of_others(const http::Values& at_start, const http::Values& now) {
    std::set<std::string> differ;
    const auto compare = [&](const http::Values& these, const http::Values& those) {
        for (const auto& [name, value] : these) {
            const auto other = those.find(name);
            if (name != log_level && (other == those.end() || other->second != value))
                differ.insert(name);
        }
    };
    compare(at_start, now);
    compare(now, at_start);
    std::string names;
    for (const std::string& name : differ) names += (names.empty() ? "" : ", ") + name;
    return names;
}

}  // namespace

void reload(const http::Values& at_start, const std::function<std::string(http::Values&)>& read) {
    // Whoever sent the signal reads what came of it, whatever the level was or will be.
    const auto before = spdlog::get_level();
    spdlog::set_level(std::min(before, spdlog::level::info));
    spdlog::info("SIGHUP: {}", reopen_log());
    http::Values now;
    if (const std::string wrong = read(now); !wrong.empty()) {
        spdlog::error("SIGHUP: the settings stay as they are: {}", wrong);
        spdlog::set_level(before);
        return;
    }
    const std::string level = now.at(log_level).get<std::string>();
    spdlog::info("SIGHUP: log_level is {}; no other setting is reloaded", level);
    if (const std::string others = names_of_others(at_start, now); !others.empty())
        spdlog::warn("SIGHUP: changed, but taken over by a restart only: {}", others);
    spdlog::set_level(spdlog::level::from_str(level));
}

}  // namespace twophase::recovery
