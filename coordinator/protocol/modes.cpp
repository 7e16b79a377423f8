#include "coordinator/protocol/modes.hpp"

namespace twophase::coordinator {

Verb asking_verb(Mode mode) { return mode == Mode::two_phase ? Verb::prepare : Verb::execute; }

bool is_in_first_phase(Mode mode, BranchIndex branch) {
    return mode != Mode::eventual || branch == 0;
}

bool is_yes(Mode mode, Vote vote) {
    if (mode == Mode::two_phase) return vote == Vote::prepared || vote == Vote::read_only;
    return vote == Vote::executed;
}

bool is_presumed(Mode mode) { return mode == Mode::two_phase; }

std::optional<Verb> delivery(Mode mode, Decision decision, BranchIndex branch, Vote vote) {
    const bool is_commit = decision == Decision::commit;
    switch (mode) {
        case Mode::two_phase:
            if (vote == Vote::read_only) return std::nullopt;
            return is_commit ? Verb::commit : Verb::rollback;
        case Mode::saga:
            // Nobody asked it, so it can't have run.
            if (is_commit || vote == Vote::unasked) return std::nullopt;
            return Verb::compensate;
        case Mode::eventual:
            if (is_commit && branch > 0) return Verb::execute;
            if (is_commit || vote == Vote::unasked) return std::nullopt;
            return Verb::compensate;
    }
    return std::nullopt;
}

How how_of(Verb verb) {
    switch (verb) {
        case Verb::commit: return How::committed;
        case Verb::rollback: return How::rolled_back;
        case Verb::compensate: return How::compensated;
        case Verb::prepare:
        case Verb::execute: break;
    }
    return How::executed;
}

std::uint32_t tries_of(const BranchRequest& branch) { return 1 + branch.max_retries.value_or(3); }

std::uint64_t retry_delay_milliseconds(const BranchRequest& branch) {
    return branch.retry_delay_milliseconds.value_or(60'000);
}

bool uses_result(const BranchRequest& step, const BranchRequest& other) {
    const std::string_view payload = step.payload;
    return payload.find("\"${" + other.branch_id + ".result.") != payload.npos;
}

}  // namespace twophase::coordinator
