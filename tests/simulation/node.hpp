// A simulated machine that runs one real program: it boots, answers, crashes and boots again.
#pragma once

#include "recovery/surroundings.hpp"
#include "tests/simulation/world.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace twophase::simulation {

/// The program's surroundings, in virtual time. What the program made is in it; a crash destroys
/// it at once, as nothing of it may act any more.
class Node : public recovery::Surroundings {
public:
    Node(World& world, std::string name, std::string directory);

    World& world;
    const std::string name;
    const std::string directory;
    std::int64_t clock_error = 0;  // microseconds that its wall clock is wrong by

    bool is_up() const { return is_up_; }
    std::uint64_t life() const { return life_; }
    void start();
    /// Ends the program without a word; `power` takes what the disk doesn't hold with it.
    void crash(bool power);
    /// Ends after this event, as the program asked for it.
    void end_soon(int exit_code, const std::string& why);
    /// Nobody starts it again before hire().
    void retire();
    void hire() { is_retired_ = false; }
    /// Runs `function` as one turn of the program's loop.
    void run(const std::function<void()>& function);
    virtual void answer(http::Request request, http::Respond respond) = 0;

    /// Called by the crash points: strikes now and then.
    void pass_crash_point(std::string_view point);
    /// The node whose turn it is, if one's is.
    static Node* current();

    // recovery::Surroundings
    recovery::Time now() const override;
    std::int64_t wall_microseconds() const override;
    std::uint64_t random() override { return world.chance.bits(); }
    void post(std::function<void()> function) override;
    std::unique_ptr<recovery::Alarm> alarm() override;
    std::unique_ptr<recovery::Peer> peer(const http::Endpoint& endpoint, std::size_t) override;
    wal::StoreOptions store_options() const override;

protected:
    virtual void boot() = 0;
    virtual void unmake() = 0;
    /// The store of the running program, or null.
    virtual wal::Store* store() = 0;

private:
    void restart_later();
    bool is_target(std::string_view point);
    void lose_power_soon();
    void arm_commit();

    bool is_up_ = false;
    bool is_ending_ = false;
    bool is_retired_ = false;
    bool had_disk_fault_ = false;  // its last life ended so
    bool is_commit_armed_ = false;
    std::uint64_t life_ = 0;
};

}  // namespace twophase::simulation
