#include "coordinator/lanes.hpp"

#include "coordinator/lane_metrics.hpp"
#include "http/retry_after.hpp"
#include "http/text.hpp"
#include "wal/crash_point.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace twophase::coordinator {
namespace {

using Schedule = recovery::Lane<BranchKey, Verb, BranchKeyHash>;
using recovery::Time;

constexpr unsigned asking = 0;   // prepare, execute: may hang
constexpr unsigned telling = 1;  // commit, rollback, compensate: must not be held back
constexpr std::size_t most_in_array = 256;
constexpr std::size_t most_bytes = 4 * 1024 * 1024 - 64 * 1024;  // room for brackets and commas
constexpr std::size_t message_overhead = 640;                    // of what every message carries
// RFC 9218: from 0, the most urgent, to 7; 3 is the usual.
constexpr const char* unhurried = "u=5";

unsigned class_of(Verb verb) {
    return verb == Verb::prepare || verb == Verb::execute ? asking : telling;
}

recovery::LaneOptions options_of(const Config& config, const ParticipantConfig& participant) {
    recovery::LaneOptions options;
    options.most_items = participant.takes_arrays ? most_in_array : 1;
    options.most_bytes = most_bytes;
    options.window = participant.window != 0    ? participant.window
                     : participant.takes_arrays ? 4
                                                : 64;
    options.late.window =
        std::max<std::size_t>(1, options.window / (participant.takes_arrays ? 4 : 2));
    options.backoff = {config.retry_first, config.retry_most};
    options.breaker.most_between_probes = config.probe_most;
    return options;
}

}  // namespace

struct Lanes::Shared {
    LaneHooks hooks;
    Config config;
    bool is_stopped = false;
    bool are_all_heard = false;
    bool is_new_work_released = false;
    std::string closed_for;  // not empty: no lane opens any more
};

/// One participant's lane: the schedule decides, this sends, waits and reports.
class Lanes::ParticipantLane : public std::enable_shared_from_this<ParticipantLane> {
public:
    ParticipantLane(recovery::Surroundings& around,
                    std::shared_ptr<Shared> shared,
                    recovery::Metrics& metrics,
                    std::string name,
                    const ParticipantConfig& participant)
        : around_(around),
          shared_(std::move(shared)),
          name_(std::move(name)),
          endpoint_text_(participant.endpoint.text()),
          metrics_(metrics, name_),
          schedule_(options_of(shared_->config, participant), class_of, around.random()),
          peer_(around.peer(participant.endpoint,
                            2 * options_of(shared_->config, participant).window + 16)),
          retry_alarm_(around.alarm()),
          sweep_(std::make_shared<Sweep>(
              around,
              *peer_,
              shared_->config,
              name_,
              Sweep::Hooks{
                  .question = [this] { return shared_->hooks.question(name_); },
                  .introduced =
                      [this](const Question& question, const Introduction& introduction) {
                          return receive(question, introduction);
                      },
                  .found = [this](const InDoubt& branch) { shared_->hooks.found_in_doubt(branch); },
                  .ended =
                      [this] {
                          was_swept_ = true;
                          set_holds();
                      },
                  .failed =
                      [this](const std::string& why) {
                          // Of one that was heard its calls tell how it is.
                          if (!shared_->is_stopped && !is_open_) note_health(false, why);
                      },
                  .is_urgent = [this] { return schedule_.is_held(asking); }})) {
        for (const unsigned of_class : {asking, telling}) schedule_.hold(of_class, true);
    }

    void start() { sweep_->start(); }

    void ask_again() {
        if (!is_open_) sweep_->start_now();
    }

    /// What leaves now, by what is known of the participant.
    void set_holds() {
        const bool is_closed = !shared_->closed_for.empty();
        const bool is_released =
            shared_->is_new_work_released || (shared_->are_all_heard && was_swept_);
        schedule_.hold(telling, is_closed || !is_open_);
        schedule_.hold(asking, is_closed || !is_open_ || !is_released);
        pump_soon();
    }

    void stop() {
        retry_alarm_->cancel();
        sweep_->stop();
        peer_->close();
    }

    recovery::Peer& peer() { return *peer_; }
    bool will_open() const { return will_open_ && shared_->closed_for.empty(); }
    const std::string& held_for() const {
        return shared_->closed_for.empty() ? held_for_ : shared_->closed_for;
    }
    Schedule& schedule() { return schedule_; }
    const Schedule& schedule() const { return schedule_; }

    void want(const BranchKey& key, Verb verb, std::size_t bytes, Time delay, bool is_left_over) {
        std::optional<Time> not_before;
        if (delay > Time{0}) not_before = around_.now() + delay;
        if (is_left_over)
            schedule_.want_left_over(key, verb, bytes, not_before);
        else
            schedule_.want(key, verb, bytes, not_before);
        pump_soon();
    }

    /// Sends what may leave, once in a turn of the loop, so that one turn's wants gather.
    void pump_soon() {
        if (std::exchange(is_pump_posted_, true)) return;
        around_.post([self = shared_from_this()] {
            self->is_pump_posted_ = false;
            self->pump();
        });
    }

    LaneStatus status() const {
        return {.participant = name_,
                .endpoint = endpoint_text_,
                .is_open = schedule_.is_open(),
                .waiting = schedule_.size(),
                .in_flight = schedule_.in_flight(),
                .last_error = last_error_,
                .is_heard = is_open_,
                .held_for = held_for()};
    }

private:
    bool receive(const Question& question, const Introduction& introduction) {
        const Reception reception = shared_->hooks.introduced(name_, question, introduction);
        if (shared_->is_stopped) return false;
        note_health(true, {});
        if (reception.why != held_for_ && !reception.why.empty())
            spdlog::warn("nothing is sent to {}: {}", name_, reception.why);
        if (reception.is_open && !held_for_.empty()) spdlog::info("{} is talked to again", name_);
        is_open_ = reception.is_open;
        held_for_ = reception.why;
        will_open_ = reception.will_open;
        if (is_open_)
            for (const auto& key : std::exchange(disbelieved_, {})) schedule_.hurry(key);
        set_holds();
        return is_open_;
    }

    /// Something is not as it was: nothing is sent before the participant was asked again.
    void doubt() {
        is_open_ = false;
        set_holds();
        sweep_->start_anew();
    }

    void pump() {
        if (shared_->is_stopped) return;
        for (Schedule::Request& request : schedule_.take(around_.now())) send(std::move(request));
        arm_retry_timer();
    }

    void arm_retry_timer() {
        const auto due = schedule_.next_due();
        if (due == armed_for_) return;
        armed_for_ = due;
        retry_alarm_->cancel();
        if (!due) return;
        retry_alarm_->set(*due, [self = shared_from_this()] {
            self->armed_for_.reset();
            self->pump();
        });
    }

    void send(Schedule::Request request) {
        std::vector<Subject> subjects;
        http::Call message{.method = "POST", .target = "/" + std::string(to_text(request.verb))};
        std::string& body = message.body;
        // Votes hold up whoever asked for them.
        bool is_awaited = class_of(request.verb) == asking;
        for (const Schedule::Call& call : request.calls) {
            const Rendered rendered = shared_->hooks.render(name_, call.key, request.verb);
            if (!body.empty()) body += ',';
            body += rendered.body;
            is_awaited = is_awaited || rendered.is_awaited;
            // An array is of many traces: none of them names it.
            if (request.calls.size() == 1 && !rendered.traceparent.empty())
                message.headers.push_back({"traceparent", rendered.traceparent});
            subjects.push_back({to_text(call.key.gid), std::string(call.key.branch_id)});
        }
        // A participant may let it share the sync of what comes next: for a client that goes on at
        // the decision, the next prepare's.
        // What is late fills a request by itself: company would only make its places wait.
        if (!is_awaited && request.late == 0) message.headers.push_back({"Priority", unhurried});
        const bool is_array = subjects.size() > 1;
        if (is_array) body = "[" + body + "]";
        transmit(std::move(request), std::move(subjects), std::move(message), is_array);
    }

    void transmit(Schedule::Request request,
                  std::vector<Subject> subjects,
                  http::Call message,
                  bool is_array) {
        const Verb verb = request.verb;
        metrics_.sent(request.calls.size(),
                      static_cast<std::size_t>(std::ranges::count_if(
                          request.calls, [](const auto& call) { return call.attempts > 1; })));
        wal::crash_point("send", to_text(verb));
        peer_->send(std::move(message),
                    shared_->config.call_timeout,
                    [self = shared_from_this(),
                     request = std::move(request),
                     subjects = std::move(subjects),
                     is_array,
                     begin = around_.fine_now()](http::Result<http::Response> response) {
                        self->handle(request, subjects, is_array, response, begin);
                    });
        wal::crash_point("sent", to_text(verb));
    }

    void handle(const Schedule::Request& request,
                const std::vector<Subject>& subjects,
                bool is_array,
                const http::Result<http::Response>& response,
                std::chrono::nanoseconds sent_at) {
        if (shared_->is_stopped) return;
        metrics_.answered(request.verb, around_.fine_now() - sent_at);
        wal::crash_point("answered", to_text(request.verb));
        const std::chrono::seconds retry_after =
            response ? http::retry_after(*response, around_.wall_microseconds() / 1'000'000)
                     : std::chrono::seconds{0};
        std::vector<Answer> answers =
            read_answers(request.verb, subjects, is_array, response, retry_after);
        const bool is_of_another = response && shared_->hooks.is_doubtful(name_, *response);
        if (is_of_another) disbelieve(request, answers);
        const bool is_doubtful =
            is_of_another ||
            std::ranges::count(answers, Answer::Kind::stale_epoch, &Answer::kind) > 0;
        bool any_clear = is_of_another;  // somebody is there
        std::vector<bool> was_wanted;
        for (std::size_t i = 0; i < answers.size(); ++i) {
            any_clear =
                any_clear || answers[i].kind != Answer::Kind::unclear || answers[i].is_fault;
            was_wanted.push_back(schedule_.is_wanted(request.calls[i]));
            metrics_.note(request.verb, answers[i]);
            settle(request.calls[i], answers[i]);
        }
        note_health(any_clear, answers.front().message);
        schedule_.done(request, outcome_of(any_clear, response), around_.now(), retry_after);
        for (std::size_t i = 0; i < answers.size(); ++i) {
            const Schedule::Call& call = request.calls[i];
            if (was_wanted[i] && !is_of_another)
                shared_->hooks.answered(name_, call.key, request.verb, answers[i], call.attempts);
        }
        if (is_doubtful && !shared_->is_stopped) doubt();
        pump_soon();
    }

    /// What a store says that has not introduced itself counts for nothing: the yes of a copy is no
    /// promise of the participant. It is asked again once it was introduced.
    void disbelieve(const Schedule::Request& request, std::vector<Answer>& answers) {
        for (Answer& answer : answers)
            answer = {.kind = Answer::Kind::unclear,
                      .message = "another start or store of it answered than was heard"};
        for (const Schedule::Call& call : request.calls) disbelieved_.push_back(call.key);
    }

    static recovery::Outcome outcome_of(bool any_clear,
                                        const http::Result<http::Response>& response) {
        if (any_clear) return recovery::Outcome::clear;
        const bool is_late = !response && response.error() == http::Errc::timed_out;
        return response || is_late ? recovery::Outcome::unclear : recovery::Outcome::unreachable;
    }

    void settle(const Schedule::Call& call, const Answer& answer) {
        switch (answer.kind) {
            case Answer::Kind::voted:
            case Answer::Kind::acknowledged: return schedule_.settled(call);
            case Answer::Kind::contradicted: return schedule_.contradicted(call, around_.now());
            case Answer::Kind::stale_epoch:  // asked again once the participant listens to us
            case Answer::Kind::no_room:      // asked again, where the core doesn't take it for a no
            case Answer::Kind::unclear:
                return schedule_.unclear(
                    call, around_.now(), answer.is_to_go_alone, answer.retry_after);
        }
    }

    void note_health(bool is_answering, std::string_view error) {
        const bool was_failing = !last_error_.empty();
        if (is_answering) {
            if (was_failing) spdlog::info("participant {} answers again", name_);
            last_error_.clear();
        } else {
            if (!was_failing)
                spdlog::warn("participant {} at {} gives no answer: {}",
                             name_,
                             endpoint_text_,
                             http::for_log(error));
            last_error_ = error;
        }
    }

    recovery::Surroundings& around_;
    std::shared_ptr<Shared> shared_;
    std::string name_;
    std::string endpoint_text_;
    LaneMetrics metrics_;
    Schedule schedule_;
    std::unique_ptr<recovery::Peer> peer_;
    std::unique_ptr<recovery::Alarm> retry_alarm_;
    std::shared_ptr<Sweep> sweep_;
    std::optional<Time> armed_for_;
    std::string last_error_;
    bool is_pump_posted_ = false;
    bool is_open_ = false;    // it was heard, and says nothing against our log
    bool was_swept_ = false;  // its first sweep has ended
    std::string held_for_;
    bool will_open_ = false;
    std::vector<BranchKey> disbelieved_;  // asked again at once when it opens
};

Lanes::Lanes(recovery::Surroundings& around,
             const Config& config,
             recovery::Metrics& metrics,
             LaneHooks hooks)
    : shared_(std::make_shared<Shared>(Shared{std::move(hooks), config})) {
    for (const auto& [name, participant] : config.participants)
        lanes_[name] =
            std::make_shared<ParticipantLane>(around, shared_, metrics, name, participant);
}

Lanes::~Lanes() { stop(); }

void Lanes::start() {
    is_started_ = true;
    for (auto& [name, lane] : lanes_) lane->start();
}

void Lanes::all_are_heard() {
    shared_->are_all_heard = true;
    for (auto& [name, lane] : lanes_) lane->set_holds();
}

void Lanes::release_new_work() {
    shared_->is_new_work_released = true;
    for (auto& [name, lane] : lanes_) lane->set_holds();
}

void Lanes::ask_again() {
    for (auto& [name, lane] : lanes_) lane->ask_again();
}

void Lanes::close(const std::string& why) {
    shared_->closed_for = why;
    for (auto& [name, lane] : lanes_) lane->set_holds();
}

std::string Lanes::held_for(std::string_view participant) const {
    const auto found = lanes_.find(participant);
    if (found == lanes_.end() || found->second->will_open()) return "";
    return found->second->held_for();
}

recovery::Peer* Lanes::peer(std::string_view participant) const {
    const auto found = lanes_.find(participant);
    return found == lanes_.end() ? nullptr : &found->second->peer();
}

void Lanes::stop() {
    if (std::exchange(shared_->is_stopped, true)) return;
    for (auto& [name, lane] : lanes_) lane->stop();
}

bool Lanes::want(std::string_view participant,
                 const BranchKey& key,
                 Verb verb,
                 std::size_t bytes,
                 recovery::Time delay) {
    const auto found = lanes_.find(participant);
    if (found == lanes_.end()) return false;
    found->second->want(key, verb, bytes + message_overhead, delay, !is_started_);
    return true;
}

void Lanes::drop(std::string_view participant, const BranchKey& key) {
    const auto found = lanes_.find(participant);
    if (found != lanes_.end()) found->second->schedule().drop(key);
}

std::optional<Verb> Lanes::wanted(std::string_view participant, const BranchKey& key) const {
    const auto found = lanes_.find(participant);
    if (found == lanes_.end()) return std::nullopt;
    return found->second->schedule().wanted(key);
}

bool Lanes::is_in_flight(std::string_view participant, const BranchKey& key) const {
    const auto found = lanes_.find(participant);
    return found != lanes_.end() && found->second->schedule().is_in_flight(key);
}

bool Lanes::hurry(std::string_view participant, const BranchKey& key) {
    const auto found = lanes_.find(participant);
    if (found == lanes_.end() || !found->second->schedule().hurry(key)) return false;
    found->second->pump_soon();
    return true;
}

std::size_t Lanes::backlog(std::string_view participant) const {
    const auto found = lanes_.find(participant);
    if (found == lanes_.end()) return 0;
    const Schedule& schedule = found->second->schedule();
    return schedule.size() - (schedule.is_open() ? 0 : schedule.left_over());
}

std::vector<LaneStatus> Lanes::status() const {
    std::vector<LaneStatus> all;
    for (const auto& [name, lane] : lanes_) all.push_back(lane->status());
    return all;
}

}  // namespace twophase::coordinator
