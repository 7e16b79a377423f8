#include "coordinator/protocol/records.hpp"

#include <span>
#include <utility>

namespace twophase::coordinator {
namespace {

template <class Enum>
using Name = std::pair<Enum, std::string_view>;

// clang-format off
constexpr Name<Mode> modes[] = {
    {Mode::two_phase, "two_phase"}, {Mode::saga, "saga"}, {Mode::eventual, "eventual"}};
constexpr Name<Vote> votes[] = {
    {Vote::none, "none"}, {Vote::prepared, "prepared"}, {Vote::read_only, "read_only"},
    {Vote::executed, "executed"}, {Vote::refused, "refused"}, {Vote::unasked, "unasked"}};
constexpr Name<Decision> decisions[] = {
    {Decision::commit, "commit"}, {Decision::rollback, "rollback"}};
constexpr Name<Verb> verbs[] = {
    {Verb::prepare, "prepare"}, {Verb::commit, "commit"}, {Verb::rollback, "rollback"},
    {Verb::execute, "execute"}, {Verb::compensate, "compensate"}};
constexpr Name<How> hows[] = {
    {How::committed, "committed"}, {How::rolled_back, "rolled_back"}, {How::executed, "executed"},
    {How::compensated, "compensated"}, {How::dead_letter, "dead_letter"},
    {How::discarded, "discarded"}, {How::by_hand, "by_hand"}};
// clang-format on

template <class Enum>
std::string_view text_of(std::span<const Name<Enum>> names, Enum value) {
    for (const auto& [each, text] : names)
        if (each == value) return text;
    return "?";
}

template <class Enum>
std::optional<Enum> value_of(std::span<const Name<Enum>> names, std::string_view text) {
    for (const auto& [value, each] : names)
        if (each == text) return value;
    return std::nullopt;
}

struct NameOf {
    const char* operator()(const Started&) const { return "started"; }
    const char* operator()(const StepDone&) const { return "step_done"; }
    const char* operator()(const Decided&) const { return "decided"; }
    const char* operator()(const BranchDone&) const { return "branch_done"; }
    const char* operator()(const DeliveryFailed&) const { return "delivery_failed"; }
    const char* operator()(const Resolved&) const { return "resolved"; }
    const char* operator()(const Finished&) const { return "finished"; }
};

}  // namespace

std::string_view to_text(Mode mode) { return text_of<Mode>(modes, mode); }
std::string_view to_text(Vote vote) { return text_of<Vote>(votes, vote); }
std::string_view to_text(Decision decision) { return text_of<Decision>(decisions, decision); }
std::string_view to_text(Verb verb) { return text_of<Verb>(verbs, verb); }
std::string_view to_text(How how) { return text_of<How>(hows, how); }
std::optional<Mode> parse_mode(std::string_view text) { return value_of<Mode>(modes, text); }
std::optional<Vote> parse_vote(std::string_view text) { return value_of<Vote>(votes, text); }
std::optional<Decision> parse_decision(std::string_view text) {
    return value_of<Decision>(decisions, text);
}
std::optional<How> parse_how(std::string_view text) { return value_of<How>(hows, text); }

const Gid& gid_of(const Record& record) {
    return std::visit([](const auto& r) -> const Gid& { return r.gid; }, record);
}

const char* name_of(const Record& record) { return std::visit(NameOf{}, record); }

}  // namespace twophase::coordinator
