// The kinds of alerts and what people read over each.
#pragma once

#include "recovery/alert_settings.hpp"

#include <span>
#include <string_view>

namespace twophase::recovery {

struct AlertTitle {
    std::string_view kind;
    std::string_view en;
    std::string_view zh;
};

/// All kinds that there are.
std::span<const AlertTitle> alert_titles();

/// The title of `kind`; the kind itself where it has none.
std::string_view alert_title(std::string_view kind, Language language);

}  // namespace twophase::recovery
