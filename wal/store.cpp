#include "wal/store.hpp"

#include "wal/backup.hpp"
#include "wal/crash_point.hpp"
#include "wal/disk.hpp"
#include "wal/headroom.hpp"
#include "wal/owner_lock.hpp"
#include "wal/running_clock.hpp"
#include "wal/store_table.hpp"
#include "wal/writer.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>
#include <utility>

namespace twophase::wal {
namespace {

constexpr std::size_t starts_kept = 64;

void end_process(const std::string& why) {
    spdlog::critical("the store failed, the process ends: {}", why);
    spdlog::default_logger()->flush();
    std::_Exit(store_failed_exit_code);
}

// What must be so before LMDB touches the directory. Returns it, to be called while initialising.
const std::filesystem::path& prepare_directory(const StoreOptions& options) {
    make_directory(options.directory);
    if (!options.any_filesystem) check_file_system(options.directory);
    return options.directory;
}

const std::filesystem::path& checked(const std::filesystem::path& directory, bool had_store) {
    check_data_file(directory, had_store);
    return directory;
}

// A store that was full when it ended could not even commit its barrier.
void make_room(Environment& environment) {
    const std::size_t used = environment.used_bytes();
    const std::size_t map = environment.map_bytes();
    if (used < map / 5 * 4) return;
    const std::size_t wanted = std::max(map, used) * 2;
    spdlog::warn("the store uses {} of {} bytes; its map is enlarged to {}", used, map, wanted);
    environment.enlarge(wanted);
}

Place find_place(const std::filesystem::path& directory) {
    constexpr std::uint64_t nanoseconds = 1'000'000'000;
    struct statx status {};
    const auto data = directory / "data.mdb";
    if (::statx(AT_FDCWD, data.c_str(), 0, STATX_INO | STATX_BTIME, &status) != 0)
        throw StoreError(errno, "look at " + data.string());
    const bool tells_birth = (status.stx_mask & STATX_BTIME) != 0;
    const auto born_at = static_cast<std::uint64_t>(status.stx_btime.tv_sec) * nanoseconds +
                         status.stx_btime.tv_nsec;
    return {.device = std::uint64_t{status.stx_dev_major} << 32 | status.stx_dev_minor,
            .file = status.stx_ino,
            .born_at = tells_birth ? born_at : 0,
            .note = {}};
}

/// What can't be read is refused by the name of its directory.
std::optional<StoreIdentity> identity_in(const Reader& reader,
                                         Table table,
                                         const std::filesystem::path& directory) {
    try {
        return read_identity(reader, table);
    } catch (const StoreError& error) {
        if (error.code() != EINVAL) throw;
        throw StoreError::refused(directory.string() + ": " + error.what());
    }
}

std::string text(const StoreIdentity& identity) {
    return identity.kind + " \"" + identity.id + "\" node " + std::to_string(identity.node);
}

void check_identity(const StoreIdentity& stored, const StoreOptions& options) {
    const StoreIdentity wanted{.kind = options.kind, .id = options.id, .node = options.node};
    const std::string where = "the store " + options.directory.string();
    const bool is_renaming =
        stored.kind == wanted.kind && stored.id != wanted.id && stored.kind != "coordinator";
    if (stored.kind != wanted.kind || stored.id != wanted.id || stored.node != wanted.node)
        throw StoreError::refused(where + " belongs to " + text(stored) + ", not to " +
                                  text(wanted) +
                                  (is_renaming ? "; recoveryctl rename-store gives a stopped "
                                                 "participant's store another name"
                                               : ""));
    if (stored.is_backup && !options.accept_backup)
        throw StoreError::refused(where +
                                  " is a backup: what came after it is missing. Start it "
                                  "through `recoveryctl restore`");
    if (!stored.moved_to.empty())
        throw StoreError::refused(where + " was handed over and never starts again: start " +
                                  stored.moved_to + " in its place");
}

}  // namespace

struct Store::State {
    State(StoreOptions given, Post post);
    void open();
    StoreIdentity this_start() const;
    Writer::Parts parts(Post post);

    StoreOptions options;
    OwnerLock lock;
    Environment environment;
    Table store_table;
    std::map<std::string, Table, std::less<>> tables;
    StoreIdentity identity;
    bool is_new = false;
    std::uint64_t epoch = 0;
    Token start;
    std::uint64_t position = 0;      // of the barrier
    std::vector<StoreStart> starts;  // this one too
    std::uint64_t numbers_above = 0;
    std::optional<RunningClock> clock;
    std::optional<HeadroomGauge> headroom;
    std::optional<Writer> writer;  // last: it uses the others
};

Store::State::State(StoreOptions given, Post post)
    : options(std::move(given)),
      lock(prepare_directory(options)),
      environment({.directory = checked(options.directory, lock.had_store()),
                   .map_bytes = options.map_bytes,
                   .max_tables = static_cast<unsigned>(options.tables.size()) + 1}) {
    make_room(environment);
    open();
    environment.clear_dead_readers();
    headroom.emplace(environment, options.directory, options.now);
    writer.emplace(parts(std::move(post)));
}

// Checks who the store belongs to and commits the barrier. After a crash the page cache may show
// what the disk doesn't hold, so nothing read here may be acted on before epoch + 1 is durable.
void Store::State::open() {
    is_new = environment.is_empty();
    Batch batch = environment.batch();
    store_table = environment.open_table(batch, store_table_name);
    const auto stored = identity_in(batch, store_table, options.directory);
    if (!stored && !is_new) throw no_identity(options.directory);
    identity = stored.value_or(
        StoreIdentity{.kind = options.kind, .id = options.id, .node = options.node});
    if (is_new) identity.log = draw_token(options.random);
    check_identity(identity, options);
    for (const std::string& name : options.tables) {
        assert(name != store_table_name);
        tables.emplace(name, environment.open_table(batch, name));
    }
    clock.emplace(read_named_number(batch, store_table, running_seconds_name), options.now);
    numbers_above = read_named_number(batch, store_table, restored_at_epoch);
    if (identity.was_restored && identity.epoch >= numbers_above + restored_epochs_ahead) {
        numbers_above = identity.epoch;
        write_named_number(batch, store_table, restored_at_epoch, numbers_above);
    }
    position = read_named_number(batch, store_table, position_name) + 1;
    const StoreIdentity raised = this_start();
    const bool is_where_it_was = !is_new && raised.is_moved == identity.is_moved;
    lock.write_note(is_where_it_was ? identity.place.note : Token{}, raised.place.note);
    epoch = raised.epoch;
    start = raised.start;
    identity.is_moved = raised.is_moved;
    starts = raised.starts;
    write_named_number(batch, store_table, position_name, position);
    write_identity(batch, store_table, raised);
    crash_point("before-barrier");
    batch.commit();
    crash_point("after-barrier");
    lock.confirm_note(raised.place.note);
    std::error_code none;  // a simulated disk has no file
    if (std::filesystem::exists(options.directory / "data.mdb", none)) lock.note_store();
}

/// What this start's barrier makes of the identity. A file that is not where the last start left
/// it, or beside another note, may be an old copy.
StoreIdentity Store::State::this_start() const {
    StoreIdentity raised = identity;
    ++raised.epoch;
    raised.start = draw_token(options.random);
    raised.place =
        options.find_place ? options.find_place(options.directory) : find_place(options.directory);
    raised.place.note = draw_token(options.random);
    const bool is_same =
        identity.place.is_same_file(raised.place) && lock.was_last(identity.place.note);
    if (!is_new && !is_same && !identity.is_handed_over) raised.is_moved = true;
    raised.is_handed_over = false;
    raised.starts.push_back({raised.epoch, raised.start, position});
    if (raised.starts.size() > starts_kept) raised.starts.erase(raised.starts.begin());
    return raised;
}

Writer::Parts Store::State::parts(Post post) {
    return {.environment = environment,
            .store_table = store_table,
            .clock = *clock,
            .headroom = *headroom,
            .post = std::move(post),
            .position = position,
            .numbers_above = numbers_above,
            .lazy_delay = options.lazy_delay,
            .now = options.now,
            .is_stepped = options.is_stepped,
            .committed = options.committed,
            .fail_stop = options.fail_stop ? options.fail_stop : end_process};
}

Store::Store(StoreOptions options, Post post)
    : state_(std::make_unique<State>(std::move(options), std::move(post))) {}

Store::~Store() { stop(); }

// Apart from the destructor, as jobs use the store that they are in.
void Store::stop() { state_->writer->stop(); }

std::size_t Store::step(std::size_t most_jobs) { return state_->writer->step(most_jobs); }

std::size_t Store::queued() const { return state_->writer->queued(); }

std::uint64_t Store::epoch() const { return state_->epoch; }

const StoreIdentity& Store::identity() const { return state_->identity; }

bool Store::is_new() const { return state_->is_new; }

Token Store::start() const { return state_->start; }

std::uint64_t Store::position() const { return state_->writer->position(); }

std::uint64_t Store::began_at() const { return state_->position; }

std::optional<StoreStart> Store::earlier_start(std::uint64_t epoch) const {
    const std::vector<StoreStart>& all = state_->starts;
    const auto found = std::ranges::find(all, epoch, &StoreStart::epoch);
    if (found == all.end() || std::next(found) == all.end()) return std::nullopt;
    return StoreStart{epoch, found->start, std::next(found)->position - 1};
}

bool Store::has_dropped(std::uint64_t epoch) const { return epoch < state_->starts.front().epoch; }

void Store::amend(Unit& unit,
                  const Store& store,
                  const std::function<void(StoreIdentity&)>& change) {
    const Table table = store.state_->store_table;
    StoreIdentity identity = read_identity(unit, table).value();
    change(identity);
    write_identity(unit, table, identity);
}

Table Store::table(std::string_view name) const {
    const auto found = state_->tables.find(name);
    assert(found != state_->tables.end());
    return found->second;
}

void Store::submit(Job job) {
    std::vector<Job> jobs;
    jobs.push_back(std::move(job));
    submit(std::move(jobs));
}

void Store::submit(std::vector<Job> jobs) { state_->writer->submit(std::move(jobs)); }

Snapshot Store::snapshot() const { return state_->environment.snapshot(); }

Headroom Store::headroom() const { return state_->headroom->read(); }

std::vector<StoreReader> Store::readers() const { return state_->environment.readers(); }

std::uint64_t Store::running_seconds() const { return state_->clock->seconds(); }

std::uint64_t Store::commits() const { return state_->writer->commits(); }

std::uint64_t Store::jobs() const { return state_->writer->jobs(); }

std::optional<std::uint64_t> Store::written_bytes() const {
    const auto thread = state_->writer->thread_id();
    return thread ? bytes_written_by(*thread) : std::nullopt;
}

void Store::raise(Unit& unit, const Store& store, std::string_view name, std::uint64_t value) {
    const Table table = store.state_->store_table;
    assert(name != running_seconds_name && name != position_name);
    if (value > read_named_number(unit, table, name)) write_named_number(unit, table, name, value);
}

std::uint64_t Store::number(std::string_view name) const {
    return read_named_number(snapshot(), state_->store_table, name);
}

void Store::backup(const std::filesystem::path& to) const { write_backup(state_->environment, to); }

}  // namespace twophase::wal
