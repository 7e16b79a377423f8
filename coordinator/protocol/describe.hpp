// Events, effects and records in one line each: logs, traces, timelines and tests share it.
#pragma once

#include "coordinator/protocol/protocol.hpp"

#include <string>

namespace twophase::coordinator {

/// "voted 0190…-0001 branch 0 prepared". No amounts, no payloads.
std::string describe(const Event& event);
std::string describe(const Effect& effect);
std::string describe(const Record& record);

}  // namespace twophase::coordinator
