#include "participants/finding_json.hpp"

namespace twophase::participants {

void add_request(http::Json& to, const Finding& finding) {
    if (finding.operation.empty()) return;
    to["operation"] = finding.operation;
    to["payload"] = http::Json::parse(finding.payload, nullptr, false);
    to["business_code"] = finding.business_code;
    to["business_id"] = finding.business_id;
}

}  // namespace twophase::participants
