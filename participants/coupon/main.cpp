// The program coupon-participant.
#include "participants/coupon/coupon.hpp"
#include "participants/program.hpp"

int main(int argc, char** argv) {
    using namespace twophase::participants;
    coupon::CouponKind coupon;
    return run_program(coupon, coupon::defaults(), argc, argv);
}
