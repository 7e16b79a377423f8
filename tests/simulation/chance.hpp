// The simulation's only source of chance: one seed gives one run.
#pragma once

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
    /// True once in `n` times; never for 0.
    bool once_in(std::uint64_t n) { return n != 0 && engine_() % n == 0; }

private:
    std::mt19937_64 engine_;
};

}  // namespace twophase::simulation
