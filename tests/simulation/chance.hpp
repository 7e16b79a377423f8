// The simulation's only source of chance: one seed gives one run.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>

namespace twophase::simulation {

class Chance {
public:
    explicit Chance(std::uint64_t seed) : engine_(seed) {}

    std::uint64_t bits() { return engine_(); }
    /// From `least` to `most`, both included.
    std::int64_t between(std::int64_t least, std::int64_t most) {
        return least + static_cast<std::int64_t>(engine_() %
                                                 (static_cast<std::uint64_t>(most - least) + 1));
    }
    /// As between(), but every factor is as likely as another: 2 to 4 as often as 100 to 200.
    std::int64_t scaled(std::int64_t least, std::int64_t most) {
        const double share = static_cast<double>(engine_()) * 0x1p-64;
        const double factor = static_cast<double>(most) / static_cast<double>(least);
        return static_cast<std::int64_t>(static_cast<double>(least) * std::pow(factor, share));
    }
    /// True once in `n` times; never for 0.
    bool once_in(std::uint64_t n) { return n != 0 && engine_() % n == 0; }

private:
    std::mt19937_64 engine_;
};

}  // namespace twophase::simulation
