#include "coordinator/api.hpp"

#include "coordinator/branch_evidence.hpp"
#include "coordinator/comparison_api.hpp"
#include "coordinator/dead_letters.hpp"
#include "coordinator/listing.hpp"
#include "coordinator/log_api.hpp"
#include "coordinator/operation_log.hpp"
#include "coordinator/operator_api.hpp"
#include "coordinator/submissions.hpp"
#include "coordinator/views.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "recovery/program_metrics.hpp"
#include "wal/crash_point.hpp"

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <utility>

namespace twophase::coordinator {
namespace {

using http::Json;
using http::problem;
using http::Request;
using http::Respond;
using http::Response;

Response unavailable(std::string_view code, std::string_view detail, const char* retry_after) {
    Response response = problem(503, code, detail);
    response.headers.push_back({"Retry-After", retry_after});
    return response;
}

/// The attempt before holds something still, or it was no rollback.
Response not_over(const Service& service, const Gid& gid, const Json& about) {
    const Found found = service.find(gid);
    const View view = view_of(gid, found);
    if (view.decision == Decision::commit)
        return problem(409,
                       "attempt-not-over",
                       "the attempt before this one is committed: there is nothing to try again",
                       about);
    Response response = problem(
        409,
        "attempt-not-over",
        view.decision ? "the attempt before this one is rolled back, and not undone everywhere yet "
                        "(\"wait_for\": \"undone\" in its request waits for that)"
                      : "the attempt before this one is not decided yet; look at its gid",
        about);
    response.headers.push_back({"Retry-After", "1"});
    return response;
}

/// The business key was used before; `next` is what it may be used for now, if anything.
Response refusal_of_key(const Service& service,
                        const Admitted& admitted,
                        const std::optional<NextAttempt>& next) {
    using Kind = Admitted::Kind;
    Json about = Json::object();
    if (admitted.gid != Gid{}) about["gid"] = to_text(admitted.gid);
    if (next) name_next_attempt(about, *next);
    const std::string as_next =
        next
            ? "; the last attempt is rolled back, so \"attempt\": " + std::to_string(next->number) +
                  (next->is_possible ? " may be tried"
                                     : " may be tried once that is undone everywhere")
            : "";
    if (admitted.kind == Kind::attempt_not_over) return not_over(service, admitted.gid, about);
    Response response;
    if (admitted.kind == Kind::changed)
        response = problem(422,
                           "business-key-reused",
                           "this business key was used for another request; use a new key, or send "
                           "the first request again unchanged" +
                               as_next,
                           about);
    else if (admitted.kind == Kind::superseded)
        response = problem(409,
                           "attempt-superseded",
                           "a higher attempt exists; this one comes late" + as_next,
                           about);
    else
        response = problem(
            409,
            "attempt-not-over",
            "the attempt before this one is not known here; the first attempt is 1" + as_next,
            about);
    add_retry_after(response, next);
    return response;
}

/// Why a submission was not admitted.
Response refusal_of(const Service& service, const Admitted& admitted, const BusinessKey& key) {
    using Kind = Admitted::Kind;
    switch (admitted.kind) {
        case Kind::lost_key: return refused_lost_key(service, admitted.gid);
        case Kind::closed:
            return unavailable("log-closed", "nothing was started: " + service.log_detail(), "10");
        case Kind::held:
            return unavailable("participant-held",
                               "nothing is sent to a participant of this transaction; nothing was "
                               "started (GET /v1/participants shows which, and why)",
                               "10");
        case Kind::changed:
        case Kind::attempt_not_over:
        case Kind::attempt_unknown:
        case Kind::superseded: return refusal_of_key(service, admitted, service.next_attempt(key));
        case Kind::damaged:
            return problem(409,
                           "needs-attention",
                           "what is known of this business key can't be read; a person must look "
                           "(recoveryctl verify)");
        case Kind::backlog:
            return unavailable(
                "participant-backlog",
                "a participant of this transaction is away and has too much waiting; "
                "nothing was started (GET /v1/participants shows which)",
                "10");
        case Kind::no_room:
            return unavailable("no-room", "the log is nearly full; nothing was started", "10");
        case Kind::too_many:
            return unavailable(
                "too-many-live", "too many transactions are unfinished; nothing was started", "1");
        default:
            return unavailable(
                "no-gid", "ids for this moment are used up; nothing was started", "1");
    }
}

}  // namespace

/// Waits for one transaction on behalf of one request, then answers it once.
class Wait : public std::enable_shared_from_this<Wait> {
public:
    Wait(boost::asio::io_context& io,
         std::shared_ptr<Waits> all,
         Service& service,
         Gid gid,
         bool is_repeat,
         Respond respond)
        : all_(std::move(all)),
          service_(service),
          gid_(gid),
          is_repeat_(is_repeat),
          respond_(std::move(respond)),
          timer_(io) {
        all_->insert(this);
    }
    ~Wait() { all_->erase(this); }
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

    void run(const Waiting& waiting) {
        waiting_ = waiting;
        if (service_.has_reached(gid_, waiting_.milestone)) return answer();
        ticket_ =
            service_.wait(gid_, waiting_.milestone, [self = shared_from_this()](Milestone told) {
                self->timer_.cancel();
                self->told(told);
            });
        timer_.expires_after(waiting.limit);
        timer_.async_wait([self = shared_from_this()](boost::system::error_code cancelled) {
            if (!cancelled) self->give_up();
        });
    }

    /// Time is up: tell what is known, as soon as the gid may be told at all.
    void give_up() {
        timer_.cancel();
        service_.forget_waiter(gid_, ticket_);
        if (service_.has_reached(gid_, Milestone::started)) return answer();
        ticket_ = service_.wait(gid_,
                                Milestone::started,
                                [self = shared_from_this()](Milestone told) { self->told(told); });
    }

    /// The program ends, and nobody knows whether this transaction will be there at its next start.
    void refuse() {
        timer_.cancel();
        service_.forget_waiter(gid_, ticket_);
        if (service_.has_reached(gid_, Milestone::started)) return answer();
        reply(unavailable("stopping",
                          "the coordinator stops, and whether this was started is not durable yet: "
                          "send it again under the same business key",
                          "1"));
    }

private:
    void told(Milestone told) {
        if (told == Milestone::failed)
            return reply(unavailable("no-room", "the log is full; nothing was started", "10"));
        answer();
    }

    void answer() {
        const Found found = service_.find(gid_);
        const View view = view_of(gid_, found, service_.config().participants);
        const bool is_satisfied = waiting_.milestone != Milestone::started &&
                                  service_.has_reached(gid_, waiting_.milestone);
        // One who asked for an answer at once still hears an outcome that is complete.
        const bool is_over = view.state == "committed";
        std::optional<NextAttempt> next;
        if (view.decision == Decision::rollback && view.started != nullptr)
            next = service_.next_attempt(view.started->key);
        Response response = outcome_response(view, is_repeat_, is_satisfied || is_over, next);
        const std::string applied = preference_applied(waiting_, response.status);
        if (!applied.empty()) response.headers.push_back({"Preference-Applied", applied});
        reply(std::move(response));
    }

    void reply(Response response) {
        all_->erase(this);
        wal::crash_point("reply-client");
        respond_(std::move(response));
        wal::crash_point("replied-client");
    }

    std::shared_ptr<Waits> all_;
    Service& service_;
    Gid gid_;
    bool is_repeat_;
    Respond respond_;
    boost::asio::steady_timer timer_;
    Waiting waiting_;
    std::uint64_t ticket_ = 0;
};

namespace {

void submit(boost::asio::io_context& io,
            const std::shared_ptr<Waits>& waits,
            Service& service,
            const Config& config,
            const Request& request,
            Respond respond) {
    wal::crash_point("client-asked");
    auto read = read_submission(request, config);
    if (!read) return respond(read.error());
    const BusinessKey key = read->submission.key;
    const Admitted admitted = service.submit(std::move(read->submission));
    const bool is_repeat = admitted.kind == Admitted::Kind::repeat;
    if (admitted.kind != Admitted::Kind::is_new && !is_repeat)
        return respond(refusal_of(service, admitted, key));
    std::make_shared<Wait>(io, waits, service, admitted.gid, is_repeat, std::move(respond))
        ->run(read->waiting);
}

/// Answers with what `tell` makes of the transaction, if a client may know it.
Response about(const Service& service,
               const Request& request,
               const std::function<Json(const View&)>& tell) {
    const auto gid = parse_gid(request.parameter("gid"));
    if (!gid) return bad_gid();
    const Found found = service.find(*gid);
    // Until its start is durable a gid is nobody's to know.
    const bool is_told = found.live == nullptr || found.live->folded.is_started ||
                         found.live->phase == Phase::damaged;
    if ((found.live == nullptr && !found.folded) || !is_told) return unknown_gid(*gid);
    return http::json_response(tell(view_of(*gid, found, service.config().participants)));
}

Response show(const Service& service, const Request& request) {
    return about(service, request, [&](const View& view) {
        const auto stored = service.log().read(view.gid);
        return details_json(view, stored ? &*stored : nullptr);
    });
}

/// A closed log says so and is ready all the same: whoever takes an unready program out of service
/// would cut off the participants' inquiries, which it goes on answering. Clients get 503.
Response readiness(const Service& service) {
    const LogState state = service.log_state();
    Json answer{{"status", "ok"}, {"log_state", to_text(state)}};
    if (state == LogState::behind || state == LogState::unaccepted) {
        answer["status"] = "closed";
        answer["detail"] = service.log_detail();
    }
    return http::json_response(answer);
}

}  // namespace

Response bad_gid() {
    return problem(400, "invalid-gid", "a gid is a UUIDv7 in lower case, 36 characters");
}

Response unknown_gid(const Gid& gid) {
    return problem(404,
                   "unknown-transaction",
                   "no transaction of this coordinator has the gid " + to_text(gid));
}

Api::Api(boost::asio::io_context& io,
         recovery::Surroundings& around,
         Service& service,
         const Config& config)
    : io_(io),
      service_(service),
      config_(config),
      backups_(
          around,
          [&service]() -> const wal::Store& { return service.log().store(); },
          config.backups),
      pages_(around) {
    add_client_routes();
    add_operator_routes();
    backups_.add_route(router_);
}

void Api::operator()(Request request, Respond respond) const {
    const bool is_always_answered = request.path == "/livez" || request.path == "/metrics";
    if (!is_always_answered && !service_.is_ready())
        return respond(unavailable("starting", "the coordinator is reading its log", "1"));
    router_(std::move(request), std::move(respond));
}

void Api::stop() {
    pages_.stop();
    backups_.stop();
}

void Api::end_waiting() {
    is_ending_ = true;
    service_.force();
    // Each that is answered leaves the set.
    for (Wait* wait : Waits(*waits_)) wait->shared_from_this()->give_up();
}

void Api::refuse_waiting() {
    for (Wait* wait : Waits(*waits_)) wait->shared_from_this()->refuse();
}

void Api::add_client_routes() {
    router_.add("POST", "/v1/transactions", [this](const Request& request, Respond respond) {
        if (is_ending_)
            return respond(unavailable(
                "stopping", "the coordinator stops; nothing was started, send it again", "1"));
        submit(io_, waits_, service_, config_, request, std::move(respond));
    });
    router_.add_list("/v1/transactions", [this](const Request& request, Respond respond) {
        auto listing = Listing::begin(service_, request);
        if (!listing) return respond(listing.error());
        pages_.answer([listing = *std::move(listing)] { return listing.finish(); },
                      std::move(respond));
    });
    router_.add(
        "GET", "/v1/transactions/{gid}", [this](const Request& request, const Respond& respond) {
            respond(show(service_, request));
        });
    router_.add("GET",
                "/v1/transactions/{gid}/operation",
                [this](const Request& request, const Respond& respond) {
                    respond(about(service_, request, operation_json));
                });
    router_.add("GET",
                "/v1/transactions/{gid}/decision",
                [this](const Request& request, const Respond& respond) {
                    wal::crash_point("asked-decision");
                    respond(tell_decision(service_, request));
                    wal::crash_point("told-decision");
                });
    const auto ok = [](const Request&, const Respond& respond) {
        respond(http::json_response({{"status", "ok"}}));
    };
    router_.add("GET", "/livez", ok);
    router_.add("GET", "/readyz", [this](const Request&, const Respond& respond) {
        respond(readiness(service_));
    });
    router_.add("GET", "/v1/identity", [this](const Request& request, const Respond& respond) {
        respond(show_identity(service_, request));
    });
    recovery::add_metrics_route(router_, service_.metrics());
}

void Api::add_operator_routes() {
    router_.add("POST",
                "/v1/transactions/{gid}/retry",
                [this](const Request& request, const Respond& respond) {
                    respond(retry(service_, request));
                });
    router_.add(
        "POST", "/v1/transactions/{gid}/resolve", [this](const Request& request, Respond respond) {
            resolve(service_, request, std::move(respond));
        });
    router_.add("GET",
                "/v1/transactions/{gid}/branches/{branch_id}",
                [this](const Request& request, const Respond& respond) {
                    respond(show_branch(service_, request));
                });
    router_.add("POST", "/v1/comparisons", [this](const Request& request, const Respond& respond) {
        respond(compare_branches(service_, request));
    });
    router_.add("GET", "/v1/log", [this](const Request&, const Respond& respond) {
        respond(show_log(service_));
    });
    router_.add("POST", "/v1/log/accept", [this](const Request& request, Respond respond) {
        accept_log(service_, request, std::move(respond));
    });
    router_.add_list("/v1/lost", [this](const Request& request, const Respond& respond) {
        respond(list_lost(service_, request));
    });
    router_.add("POST", "/v1/lost/settle", [this](const Request& request, Respond respond) {
        settle_proven(service_, request, std::move(respond));
    });
    router_.add("POST",
                "/v1/participants/{participant}/accept-store",
                [this](const Request& request, Respond respond) {
                    accept_store(service_, request, std::move(respond));
                });
    router_.add_list("/v1/dead-letters", [this](const Request& request, const Respond& respond) {
        respond(list_dead_letters(service_, request));
    });
    router_.add("GET", "/v1/participants", [this](const Request&, const Respond& respond) {
        respond(list_participants(service_));
    });
    router_.add("GET", "/v1/status", [this](const Request&, const Respond& respond) {
        respond(show_status(service_));
    });
    router_.add_list("/v1/export", [this](const Request& request, const Respond& respond) {
        // Behind all that was written so far: what anybody was told is in it.
        service_.when_written([this, request, respond] {
            pages_.answer([&log = service_.log(), request] { return export_page(log, request); },
                          respond,
                          recovery::PageSize::bulk);
        });
    });
    router_.add("POST", "/v1/verify", [this](const Request&, const Respond& respond) {
        verify_log(io_, service_, respond);
    });
}

}  // namespace twophase::coordinator
