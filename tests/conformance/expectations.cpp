#include "tests/conformance/expectations.hpp"

#include <algorithm>

namespace twophase::conformance {
namespace {

bool names_its_branch(const Answer& answer) {
    return answer.is_object && answer.gid == answer.about.gid &&
           answer.branch_id == answer.about.branch_id;
}

std::string naming(const Answer& answer) {
    return R"("gid":")" + answer.about.gid + R"(","branch_id":")" + answer.about.branch_id + '"';
}

bool is_problem(const Answer& answer, unsigned status, const std::string& code) {
    return answer.status == status && names_its_branch(answer) && !answer.message.empty() &&
           (code.empty() ? !answer.code.empty() : answer.code == code);
}

void expect_vote(const Answer& answer, const std::string& vote) {
    expect(answer.status == 200 && names_its_branch(answer) && answer.vote == vote,
           answer,
           "200 {" + naming(answer) + R"(,"vote":")" + vote + "\",...}");
    expect(answer.prepare_id.size() <= 256, answer, "a prepare_id of at most 256 bytes");
}

}  // namespace

void expect(bool holds, const Answer& answer, const std::string& expected) {
    if (!holds) throw DidNotHold{answer.sent, came(answer), expected};
}

void expect_yes(const Answer& answer) { expect_vote(answer, "prepared"); }

void expect_executed(const Answer& answer) { expect_vote(answer, "executed"); }

void expect_state(const Answer& answer, const std::string& state) {
    expect(answer.status == 200 && names_its_branch(answer) && answer.state == state,
           answer,
           "200 {" + naming(answer) + R"(,"state":")" + state + "\",...}");
}

void expect_problem(const Answer& answer, unsigned status, const std::string& code) {
    expect(is_problem(answer, status, code),
           answer,
           std::to_string(status) + " {" + naming(answer) + R"(,"code":")" +
               (code.empty() ? "..." : code) + R"(","message":"..."})");
}

void expect_no(const Answer& answer) {
    constexpr unsigned faults[] = {400, 401, 403, 413, 415, 422};
    const bool is_refusal =
        is_problem(answer, 409, "refused") || is_problem(answer, 409, "already_rolled_back");
    const bool is_fault = std::ranges::any_of(
        faults, [&](unsigned status) { return is_problem(answer, status, ""); });
    expect(is_refusal || is_fault,
           answer,
           R"(409 with code "refused", or 400, 401, 403, 413, 415, 422; {)" + naming(answer) +
               R"(,"code":"...","message":"..."})");
}

void expect_fault(const Answer& answer, bool names_branch) {
    const bool is_fault = (answer.status == 400 || answer.status == 422) && answer.is_object &&
                          !answer.code.empty() && !answer.message.empty();
    const std::string ids = names_branch ? naming(answer) + "," : "";
    expect(is_fault && (!names_branch || names_its_branch(answer)),
           answer,
           "400 (or 422) {" + ids + R"("code":"...","message":"..."})");
}

void expect_same(const Answer& again, const Answer& first) {
    expect(again.status == first.status && again.whole == first.whole,
           again,
           "the first answer: " + came(first));
}

bool is_yes(const Answer& answer) { return answer.status == 200 && answer.vote == "prepared"; }

}  // namespace twophase::conformance
