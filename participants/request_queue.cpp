#include "participants/request_queue.hpp"

#include "participants/record.hpp"

#include <spdlog/spdlog.h>

#include <memory>
#include <optional>
#include <utility>

namespace twophase::participants {

void RequestQueue::submit(std::vector<Piece> pieces) {
    std::vector<wal::Job> jobs;
    jobs.reserve(pieces.size());
    for (Piece& piece : pieces) jobs.push_back(job_of(std::move(piece)));
    in_flight_ += jobs.size();
    store_.submit(std::move(jobs));
}

void RequestQueue::submit(Piece piece) {
    std::vector<Piece> pieces;
    pieces.push_back(std::move(piece));
    submit(std::move(pieces));
}

void RequestQueue::when_caught_up(std::function<void()> then) {
    if (in_flight_ == 0) return then();
    store_.submit(
        {.work = {}, .then = [then = std::move(then)](wal::Written) { then(); }, .label = "asked"});
}

wal::Job RequestQueue::job_of(Piece piece) {
    auto damaged = std::make_shared<std::optional<std::string>>();  // the key
    wal::Job job;
    job.work = [work = std::move(piece.work), damaged](wal::Unit& unit) {
        try {
            damaged->reset();
            work(unit);
        } catch (const DamagedRecord& damage) {
            spdlog::error("a request was not carried out: {}", damage.what());
            *damaged = damage.key();
            throw wal::BuildsOnRefused{};  // the store's word for: write nothing for this job
        }
    };
    job.then = [this, then = std::move(piece.then), damaged](wal::Written written) {
        --in_flight_;
        if (*damaged && damaged_) damaged_(**damaged);
        if (*damaged)
            then(Fate::damaged);
        else
            then(written == wal::Written::durable ? Fate::durable : Fate::no_room);
    };
    job.is_new_work = piece.is_new_work;
    job.urgency = piece.urgency;
    job.label = piece.label;
    return job;
}

}  // namespace twophase::participants
