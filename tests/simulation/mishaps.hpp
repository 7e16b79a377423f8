// What befalls the folders of logs and stores in a run, and the people who put it right.
#pragma once

#include "tests/simulation/coordinator_node.hpp"
#include "tests/simulation/ledger.hpp"
#include "tests/simulation/memory_disk.hpp"
#include "tests/simulation/participant_node.hpp"
#include "tests/simulation/world.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace twophase::simulation {

/// One thing befalls at a time; until it is put right nothing else does. The people know what the
/// ledger knows: they decide what nothing proves as the lost log had decided it, else by rollback.
class Mishaps {
public:
    /// `twin`: a second coordinator, which runs on a copy now and then.
    Mishaps(World& world,
            Ledger& ledger,
            CoordinatorNode& coordinator,
            CoordinatorNode& twin,
            std::vector<ParticipantNode*> participants);

    void start();
    /// After every event, and before every message: an old copy that works on is looked at.
    void look();
    /// All is put right.
    bool is_over() const { return !incident_ && !store_incident_ && unsettled_.empty(); }
    /// Which of the two a client's request reaches.
    CoordinatorNode* reached();
    std::string unrest() const;

private:
    using Copy = std::shared_ptr<const memory_disk::Image>;
    enum class Stage {
        wrong,       // an older copy, or an empty folder
        successor,   // the empty folder is to become a successor, once it holds a log
        unaccepted,  // it takes another log's place: its people look at what was lost
        doubled,
    };
    struct Incident {
        Fault fault;
        Stage stage;
        wal::StoreIdentity lost_identity;
        Copy lost;  // the newest log; put back where it turns up
        Microseconds repair_at = 0;
    };
    struct StoreIncident {
        ParticipantNode* participant;
        Copy truth;
        Microseconds repair_at = 0;
    };
    struct Kept {
        Copy copy;
        std::uint64_t position = 0;
        std::uint64_t epoch = 0;
    };

    void again();
    void act();
    void keep_copies();
    void draw();
    bool may_begin();
    void begin(Fault fault, Stage stage);
    void lose();
    void set_back(Fault fault);
    void move_folder();
    void double_it();
    void restore(const Kept& backup);
    void empty_folder();
    void put_back(CoordinatorNode& node, const Copy& copy, bool is_same_file);
    void start_watching(const CoordinatorNode& node, std::uint64_t position);
    void repair();
    void repair_wrong();
    void make_successor();
    void accept();
    void end_doubled();
    void think_it_over();
    void later(Microseconds least, Microseconds most);
    void settle();
    void settle_strangers();
    void look_at_settled(bool is_asked_again);
    std::function<void(wal::Written)> told(const coordinator::Gid& gid);
    void adopt(CoordinatorNode& node);
    bool knows_more(const ParticipantNode& participant, const CoordinatorNode& node) const;
    void draw_store();
    void repair_store();
    bool all_listen();
    const Kept& one_of(const std::vector<Kept>& kept);

    World& world_;
    Ledger& ledger_;
    CoordinatorNode& coordinator_;
    CoordinatorNode& twin_;
    std::vector<ParticipantNode*> participants_;
    std::vector<Kept> copies_;                         // of the true log, the oldest first
    std::map<std::string, std::vector<Kept>> stores_;  // of participants
    std::optional<Incident> incident_;
    std::optional<StoreIncident> store_incident_;
    std::set<coordinator::Gid> unsettled_;  // a person has said it, and it is not seen durable yet
    Microseconds settle_at_ = 0;            // nobody settles what was lost before
    std::uint64_t looked_at_ = 0;           // the log's position then
    /// Of the old copy that is started: where it ends, and who knew more when it was put there.
    std::uint64_t copied_position_ = 0;
    std::set<std::string> witnesses_;
    std::set<std::string> copy_starts_;  // tokens of the starts that were made on it
    bool is_copy_watched_ = false;
};

}  // namespace twophase::simulation
