#include "coordinator/lost.hpp"

#include "http/document.hpp"
#include "http/text.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

namespace twophase::coordinator {
namespace {

constexpr recovery::Time pause_after_failure{1'000};

std::string text_in(const http::Value& item, const char* name) {
    const http::Value* found = item.find(name);
    return found ? std::string(found->text()) : std::string();
}

std::optional<wal::LostBranch> read_branch(const http::Value& item,
                                           const std::string& participant) {
    static const std::set<std::string> states{
        "prepared", "committed", "rolled_back", "executed", "compensated"};
    const auto gid = parse_gid(text_in(item, "gid"));
    wal::LostBranch branch{.gid = gid.value_or(Gid{}),
                           .participant = participant,
                           .branch_id = text_in(item, "branch_id"),
                           .state = text_in(item, "state"),
                           .operation = text_in(item, "operation"),
                           .business_code = text_in(item, "business_code"),
                           .business_id = text_in(item, "business_id")};
    if (!gid || !is_name(branch.branch_id) || !states.contains(branch.state)) return std::nullopt;
    return branch;
}

}  // namespace

std::optional<Decision> proven_by(const std::vector<wal::LostBranch>& branches) {
    const auto count = [&](std::string_view state) {
        return static_cast<std::size_t>(
            std::ranges::count(branches, state, &wal::LostBranch::state));
    };
    const bool is_committed = count("committed") > 0;
    const bool is_rolled_back = count("rolled_back") > 0;
    if (is_committed == is_rolled_back) return std::nullopt;
    return is_committed ? Decision::commit : Decision::rollback;
}

LostList::LostList(recovery::Surroundings& around, const Config& config, Hooks hooks)
    : around_(around), config_(config), hooks_(std::move(hooks)) {}

void LostList::begin(const std::string& participant, recovery::Peer& peer, const Gid& from) {
    if (is_stopped_ || reading_.contains(participant)) return;
    Reading& reading = reading_[participant];
    reading.peer = &peer;
    reading.from = from == Gid{} ? "" : to_text(from);
    reading.again = around_.alarm();
    ask(participant);
}

void LostList::stop() {
    is_stopped_ = true;
    reading_.clear();
}

void LostList::ask(const std::string& participant) {
    Reading& reading = reading_.at(participant);
    reading.nonce = std::to_string(around_.random());
    http::Call call{
        .method = "GET",
        .target = "/list?limit=500&coordinator=" + config_.id + "&from=" + reading.from +
                  "&after=" + http::percent_encode(reading.after) + "&nonce=" + reading.nonce};
    reading.peer->send(
        std::move(call),
        config_.call_timeout,
        [self = shared_from_this(), participant](const http::Result<http::Response>& response) {
            if (!self->is_stopped_) self->answered(participant, response);
        });
}

void LostList::answered(const std::string& participant,
                        const http::Result<http::Response>& response) {
    Reading& reading = reading_.at(participant);
    const bool is_unknown =
        response && (response->status == 404 || response->status == 405 || response->status == 501);
    if (is_unknown) return end(participant, false);
    const auto body =
        response && response->status == 200 ? http::read_json(response->body) : http::read_json("");
    const http::Value* items = body ? body->root().find("items") : nullptr;
    const http::Value* next = body ? body->root().find("next") : nullptr;
    const bool is_page = items != nullptr && items->is_array() && next != nullptr &&
                         text_in(body->root(), "nonce") == reading.nonce;
    // A cursor that stands still would never end.
    if (!is_page || (next->is_text() && next->text() <= reading.after)) {
        spdlog::warn("no list of branches from {}: asked again", participant);
        return reading.again->set(around_.now() + pause_after_failure,
                                  [self = shared_from_this(), participant] {
                                      if (!self->is_stopped_) self->ask(participant);
                                  });
    }
    std::vector<wal::LostBranch> lost;
    for (const http::Value& item : *items)
        if (auto branch = read_branch(item, participant); branch && hooks_.is_lost(*branch))
            lost.push_back(*std::move(branch));
    reading.after = std::string(next->text());
    const bool is_last = !next->is_text();
    hooks_.keep(std::move(lost), [self = shared_from_this(), participant, is_last] {
        if (self->is_stopped_) return;
        if (is_last) return self->end(participant, true);
        self->ask(participant);
    });
}

void LostList::end(const std::string& participant, bool has_list) {
    reading_.erase(participant);
    hooks_.ended(participant, has_list);
}

}  // namespace twophase::coordinator
