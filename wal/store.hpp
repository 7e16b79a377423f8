// A program's durable store: one LMDB environment, one owner, one writer thread, one barrier.
#pragma once

#include "wal/environment.hpp"
#include "wal/token.hpp"
#include "wal/unit.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::wal {

/// Runs a function on the owner's loop thread. Called from the writer's thread, once a batch, and
/// also while the store is destroyed: it must then be harmless if the loop is gone.
using Post = std::function<void(std::function<void()>)>;

/// The exit code of a process whose store failed under it.
inline constexpr int store_failed_exit_code = 3;

/// Where a data file lies: an ordinary restart leaves it as it is, a copy or a move does not.
struct Place {
    std::uint64_t device = 0;
    std::uint64_t file = 0;  // its inode
    /// When the inode was made, in nanoseconds since 1970: file systems give the number of a
    /// removed file to the next one at once. 0 where they don't tell.
    std::uint64_t born_at = 0;
    Token note;  // drawn by each start, kept beside the data file too

    bool is_same_file(const Place& other) const {
        return device == other.device && file == other.file && born_at == other.born_at;
    }
};

/// One batch that is durable.
struct Committed {
    std::size_t jobs = 0;
    std::chrono::nanoseconds sync{};  // how long its commit took, the disk included
};

struct StoreOptions {
    std::filesystem::path directory;
    std::string kind;        // "coordinator", "credit", ...: another kind's store is refused
    std::string id;          // the program's configured name: another's store is refused
    std::uint16_t node = 0;  // likewise
    std::vector<std::string> tables;
    std::size_t map_bytes = std::size_t{16} << 30;
    /// How long lazy jobs wait for a forced one to share a sync with.
    std::chrono::milliseconds lazy_delay{50};
    /// Permits tmpfs and network file systems, for tests.
    bool any_filesystem = false;
    /// Opens a store that is marked as a backup; for recoveryctl only.
    bool accept_backup = false;
    /// What a failed commit or a broken invariant of the writer ends the process with: by default
    /// it logs and exits with store_failed_exit_code. Only tests let it return; the writer then
    /// writes and posts nothing any more.
    std::function<void(const std::string& why)> fail_stop;
    /// The steady clock; a simulator hands in its own.
    std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
    /// 64 fresh random bits a call; a simulator hands in its own.
    std::function<std::uint64_t()> random = system_random;
    /// Device, inode and its birth of the data file in this directory; a simulator's disk has no
    /// file.
    std::function<Place(const std::filesystem::path& directory)> find_place;
    /// No writer's thread: step() writes, and what was never stepped is lost with the store, as in
    /// a crash. For simulators.
    bool is_stepped = false;
    /// Hears of every batch, on the writer's thread; for measuring.
    std::function<void(const Committed&)> committed;
};

enum class Urgency {
    forced,  // somebody waits: starts a batch at once
    lazy,    // nobody waits: shares the next batch, at the latest after lazy_delay
};

/// A job's fate: written and durable, or refused because the store has no room (nothing written).
enum class Written { durable, refused_no_room };

/// Thrown by a job's work when what it builds on was refused for want of room: nothing is written
/// for it and its fate is refused_no_room. Anything else thrown ends the process.
struct BuildsOnRefused {};

/// One atomic piece of work. Runs on the writer's thread inside a batch, before or after other jobs
/// in the order of submission. It may run twice: a batch that met a full map starts over. An empty
/// `work` writes nothing and is done when all before it is durable.
struct Job {
    std::function<void(Unit&)> work;
    /// Runs on the loop after the commit returned, in the order of submission.
    std::function<void(Written)> then;
    Urgency urgency = Urgency::forced;
    /// New work, which may be refused when the map is full. Decisions and ends never are: with no
    /// room left for them the process ends.
    bool is_new_work = false;
    /// Names the crash points around this job's batch, e.g. "decided". A string literal.
    const char* label = "";
    /// More such names, for a job of several records.
    std::vector<const char*> more_labels = {};
    /// Runs on the writer's thread when new work is refused, before the work of any later job.
    std::function<void()> refused = {};
};

/// A start of a store: an opening of it, by its program or by recoveryctl.
struct StoreStart {
    std::uint64_t epoch = 0;
    Token start;
    std::uint64_t position = 0;  // told of an earlier one: its last; stored: its barrier's
};

/// What the store knows about itself; read at open, before the barrier raised the epoch.
struct StoreIdentity {
    std::string kind;
    std::string id;
    std::uint16_t node = 0;
    std::uint64_t epoch = 0;
    bool is_backup = false;
    bool was_restored = false;  // it lacks what came after its backup

    Token log;                       // drawn when the store was made, or made out of a backup
    std::vector<Token> replaces;     // those whose place it takes, the latest first
    Token start;                     // of the last start
    std::vector<StoreStart> starts;  // the latest ones, that one the last
    Place place;                     // where that start found it
    /// A start found it at another place than the one before had left it: until somebody else has
    /// confirmed that nothing came after it, it may be an old copy.
    bool is_moved = false;
    /// The next start takes any place for its own: it was handed over.
    bool is_handed_over = false;
    /// It takes the place of another by a person's word, and nobody has accepted it yet.
    bool awaits_acceptance = false;
    std::string why_it_replaces;          // who made it a successor, and the reason
    std::string moved_to;                 // handed over to this directory: it never starts again
    std::vector<std::string> former_ids;  // ids that it had before it was given this one
};

/// Room left; looked at on a schedule by the writer, read by any thread: at open, after batches at
/// most once a second (sooner when the file grew a lot), each second while there is no room.
struct Headroom {
    std::size_t used_bytes = 0;
    std::size_t map_bytes = 0;
    std::size_t file_bytes = 0;  // with what is reserved for the next batches
    std::size_t disk_free_bytes = 0;
    /// Used below 80 % of the map, and free on the disk is what the map may still grow, or at least
    /// 10 % of the map or 1 GiB, whichever of the three is smallest.
    bool has_room = true;
};

/// Opens, checks and owns a store. Opening does, in this order and before anything is answered:
/// file system check, owner lock (another process: StoreError EBUSY), size check of the data file,
/// LMDB open, format and identity check, enlarging a map without room, and the barrier: a durable
/// commit of epoch + 1. Any thread may submit; destruction runs what was submitted, then closes.
class Store {
public:
    Store(StoreOptions options, Post post);
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    /// Writes at most that many jobs in one batch, in place of the writer's thread; how many.
    /// Only where is_stepped.
    std::size_t step(std::size_t most_jobs);
    /// Jobs that no batch has taken yet.
    std::size_t queued() const;

    /// This start's number, durable since the constructor returned.
    std::uint64_t epoch() const;
    /// As it was found, but for `log` and `is_moved`, which are this start's.
    const StoreIdentity& identity() const;
    /// No start before had this store: its directory was empty.
    bool is_new() const;
    /// Drawn by this start, durable as epoch() is.
    Token start() const;
    /// Grows with every durable batch, the barrier's included, over all starts. Any thread.
    std::uint64_t position() const;
    /// The position of this start's barrier: all that earlier starts made durable is below it.
    std::uint64_t began_at() const;
    /// An earlier start, with the last position that it made durable. Nothing where this store had
    /// none of that epoch, or the epoch is this start's.
    std::optional<StoreStart> earlier_start(std::uint64_t epoch) const;
    /// The store keeps its latest starts alone: what came of such an old one it doesn't know.
    bool has_dropped(std::uint64_t epoch) const;
    /// Changes what the store knows about itself in the batch of this unit. identity() stays.
    static void amend(Unit& unit,
                      const Store& store,
                      const std::function<void(StoreIdentity&)>& change);
    Table table(std::string_view name) const;

    void submit(Job job);
    void submit(std::vector<Job> jobs);
    /// Runs what was submitted and ends the writer, as the destructor does; for owners whose jobs
    /// use their members. Nothing may be submitted after it.
    void stop();

    /// The last commit's state, from any thread; short and never held while waiting.
    Snapshot snapshot() const;

    Headroom headroom() const;
    /// Whoever reads the store now, in this process or another. Any thread.
    std::vector<StoreReader> readers() const;
    /// Seconds that this store has been running in all its starts: never the wall clock. Made
    /// durable along with ordinary batches and at least once a minute, so a crash loses at most
    /// that much of it.
    std::uint64_t running_seconds() const;
    /// Commits so far, and jobs in them: for the batch size.
    std::uint64_t commits() const;
    std::uint64_t jobs() const;
    /// Bytes that the writer's thread has sent towards the disk, as the kernel counts them; nothing
    /// where it doesn't tell.
    std::optional<std::uint64_t> written_bytes() const;

    /// Writes a marked, consistent copy into the directory `to`, which must not exist. Any thread;
    /// blocks that thread, not the writer. Pages freed meanwhile are reused only afterwards.
    void backup(const std::filesystem::path& to) const;

    /// A durable number that callers push ahead, e.g. the ceiling of what ids may be minted.
    /// raise() adds to the batch in which it is called; values never shrink.
    static void raise(Unit& unit, const Store& store, std::string_view name, std::uint64_t value);
    std::uint64_t number(std::string_view name) const;  // 0 when never raised

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// How far a restore raises the epoch at least: no store starts a million times between two
/// backups, so no epoch of the lost store after the backup was as high, and what is left of it is
/// refused as stale. A restore raises it to the microseconds since 1970 where that is more, so that
/// two restores of one backup differ, and no number that the lost store counted up one by one is as
/// high either.
constexpr std::uint64_t restored_epochs_ahead = 1'000'000;

/// The store's number of this name is the epoch that its last restore gave it: no other restore of
/// any backup of it has the same. 0: never restored. A start notes it.
inline constexpr std::string_view restored_at_epoch = "restored at epoch";

/// What restore() makes of a backup's identity: an identity of its own that replaces the backup's,
/// an epoch far above any that the lost store may have reached, and the wait for acceptance.
void make_restored(StoreIdentity& identity, const std::function<std::uint64_t()>& random);

/// Makes a startable store in `to` (absent or empty) out of the backup `from`: removes the mark and
/// does what make_restored() says. Throws StoreError with what to do.
void restore(const std::filesystem::path& from, const std::filesystem::path& to);

/// A stopped store's identity as it is now, without the barrier, the lock held meanwhile. EBUSY as
/// above.
StoreIdentity inspect(const std::filesystem::path& directory);

/// What succeed() makes of a new log's identity. StoreError when it would succeed itself.
void make_successor(StoreIdentity& identity,
                    const std::vector<Token>& replaced,
                    const std::string& why);

/// Makes a stopped, new store the successor of those `replaced`, by a person's word: it gets an
/// identity that replaces them, and waits for acceptance. Returns it. `why`: who, and the reason.
/// StoreError when the store holds any transaction or is none of `kind`.
StoreIdentity succeed(const std::filesystem::path& directory,
                      const std::string& kind,
                      const std::vector<Token>& replaced,
                      const std::string& why);

/// Moves a stopped store: copies `from` to `to`, which must be absent or empty, as the same store,
/// and marks `from`, for good, as moved. May be repeated after a crash. StoreError.
void hand_over(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace twophase::wal
