// The program credit-participant.
#include "participants/credit/credit.hpp"
#include "participants/program.hpp"

int main(int argc, char** argv) {
    using namespace twophase::participants;
    credit::CreditKind credit;
    return run_program(credit, credit::defaults(), argc, argv);
}
