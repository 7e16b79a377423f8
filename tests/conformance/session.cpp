#include "tests/conformance/session.hpp"

#include "http/text.hpp"

#include <algorithm>
#include <thread>

namespace twophase::conformance {
namespace {

/// Microseconds since 1970: higher than in any earlier run, and within a day of what a participant
/// may take for the highest possible.
std::uint64_t first_epoch() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

}  // namespace

Session::Session(const Options& options)
    : options_(options),
      caller_(options.base, options.timeout),
      // Nothing from here on may be forgotten: to us it is all unfinished.
      low_water_(gids_.next()),
      epoch_(first_epoch()) {
    if (options.listen)
        stand_in_ = std::make_unique<StandIn>(*options.listen, options.coordinator, epoch_);
}

std::uint64_t Session::raise_epoch() {
    const std::uint64_t before = epoch_++;
    if (stand_in_) stand_in_->set_epoch(epoch_);
    if (!log_.log.empty()) {
        Log next = log_;
        next.start = new_token();  // a higher epoch is another start
        speak_as(next);
    }
    return before;
}

void Session::speak_as(const Log& log) {
    log_ = log;
    if (stand_in_) stand_in_->set_log(log);
}

Answer Session::introduction_page(const std::string& nonce) {
    return in_doubt_page("coordinator=" + http::percent_encode(options_.coordinator) +
                         "&limit=1&nonce=" + nonce);
}

void Session::go_on_with_known_log() {
    Request request;
    request.method = "GET";
    request.target =
        "/in-doubt?limit=1&nonce=1&coordinator=" + http::percent_encode(options_.coordinator);
    const Introduction told = read_introduction(caller_.call(request));
    if (!told.has_known) return;
    epoch_ = std::max(epoch_, told.known_epoch + 1);
    if (stand_in_) stand_in_->set_epoch(epoch_);
    speak_as({.log = told.known.log, .start = new_token(), .position = told.known.position + 1});
}

void Session::take_log() {
    constexpr std::chrono::milliseconds before_asking_again{20};
    Log next = new_log();
    const Introduction told = introduction();
    if (told.has_known) next.replaces = {told.known.log};
    stand_in_->confirm(next);
    Message prepare = message(Verb::prepare, fresh());
    prepare.log = next;
    const auto end = std::chrono::steady_clock::now() + options_.inquiry_limit;
    Answer answer = try_once(prepare);
    while (answer.status == 503 && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(before_asking_again);
        answer = try_once(prepare);
    }
    if (answer.status != 200) {
        stand_in_->confirm(log_);
        expect(false, answer, "a yes, as GET /v1/identity of --listen confirms that log");
    }
    speak_as(next);
}

Branch Session::fresh() { return {.gid = gids_.next()}; }

Message Session::message(Verb verb, const Branch& branch) const {
    return {.verb = verb,
            .branch = branch,
            .participant = options_.participant,
            .coordinator = options_.coordinator,
            .epoch = epoch_,
            .log = log_,
            .low_water = low_water_,
            .request_id = "conformance",
            .operation = options_.operation,
            .payload = options_.payload};
}

Message Session::commit_of(const Begun& begun) const {
    Message commit = message(Verb::commit, begun.branch);
    commit.prepare_id = begun.yes.prepare_id;
    return commit;
}

Answer Session::send(const Message& message) {
    note(message);
    Answer answer = caller_.call(request_of(message));
    note(message, answer);
    return answer;
}

Answer Session::try_once(const Message& message) {
    note(message);
    return caller_.try_once(request_of(message));
}

Answer Session::send(const Request& request) {
    if (!request.about.gid.empty()) note({request.about, Verb::rollback});
    return caller_.call(request);
}

std::vector<Answer> Session::send_together(const std::vector<Message>& messages) {
    std::vector<Request> requests;
    for (const Message& message : messages) {
        note(message);
        requests.push_back(request_of(message));
    }
    return caller_.call_together(requests);
}

std::vector<Answer> Session::send_array(const std::vector<Message>& messages) {
    for (const Message& message : messages) note(message);
    const Answer answer = caller_.call(request_of(messages));
    expect(answer.status == 200 && !answer.is_object && answer.has_items &&
               answer.items.size() == messages.size(),
           answer,
           "200 and an array of " + std::to_string(messages.size()) + " answers");
    std::vector<Answer> items = answer.items;
    for (std::size_t i = 0; i < items.size(); ++i) {
        expect(items[i].has_own_status,
               answer,
               "a number \"status\" in each item, also in item " + std::to_string(i));
        items[i].about = messages[i].branch;
        items[i].sent = "item " + std::to_string(i) + " of " + items[i].sent;
    }
    return items;
}

Begun Session::prepared(const Branch& branch) {
    Answer yes = prepare(branch);
    if (yes.status == 200 && yes.vote == "read_only")
        throw CannotCheck{"the payload gets read_only: give one that is to be prepared"};
    if (!is_yes(yes)) throw CannotCheck{"a prepare that this check needs got " + came(yes)};
    return {branch, std::move(yes)};
}

Begun Session::executed() {
    const Branch branch = fresh();
    Answer yes = execute(branch);
    if (yes.status != 200) throw CannotCheck{"an execute that this check needs got " + came(yes)};
    return {branch, std::move(yes)};
}

Answer Session::in_doubt_page(const std::string& query) {
    Request request;
    request.method = "GET";
    request.target = "/in-doubt" + (query.empty() ? "" : "?" + query);
    Answer page = caller_.call(request);
    const bool name_branches = std::ranges::all_of(page.items, [](const Answer& item) {
        return !item.gid.empty() && !item.branch_id.empty();
    });
    expect(page.status == 200 && page.is_object && page.has_items && name_branches,
           page,
           R"(200 {"items":[{"gid":"...","branch_id":"..."},...],"next":...})");
    return page;
}

bool Session::is_in_doubt(const Branch& branch) {
    const std::string filter =
        "coordinator=" + http::percent_encode(options_.coordinator) + "&limit=100";
    std::string after;
    for (int pages = 0; pages < 1'000; ++pages) {
        const Answer page = in_doubt_page(
            after.empty() ? filter : filter + "&after=" + http::percent_encode(after));
        const auto is_it = [&](const Answer& item) {
            return item.gid == branch.gid && item.branch_id == branch.branch_id;
        };
        if (std::ranges::any_of(page.items, is_it)) return true;
        if (page.next.empty()) return false;
        after = page.next;
    }
    throw CannotCheck{"the list of branches in doubt has no end"};
}

std::string Session::observe() const {
    const auto seen = options_.observe();
    if (!seen) throw CannotCheck{"the command of --observe failed"};
    return *seen;
}

/// Sent is as good as begun: the answer may be lost.
void Session::note(const Message& message) {
    const bool is_prepare = message.verb == Verb::prepare;
    if (is_prepare || message.verb == Verb::execute)
        note({message.branch, is_prepare ? Verb::rollback : Verb::compensate});
}

void Session::note(Open open) {
    const bool is_kept = std::ranges::find(kept_, open.branch, &Open::branch) != kept_.end();
    if (!is_kept) begun_.push_back(std::move(open));
}

void Session::note(const Message& message, const Answer& answer) {
    const bool is_end = message.verb != Verb::prepare && message.verb != Verb::execute;
    if (is_end && answer.status == 200)
        std::erase_if(begun_, [&](const Open& open) { return open.branch == message.branch; });
}

void Session::keep() {
    kept_.insert(kept_.end(), begun_.begin(), begun_.end());
    begun_.clear();
}

void Session::end_begun() { end(begun_); }

void Session::end_all() {
    end(begun_);
    end(kept_);
}

void Session::end(std::vector<Open>& open) {
    for (const Open& one : std::exchange(open, {})) {
        const Answer answer = caller_.call(request_of(message(one.end, one.branch)));
        // Nobody is there: the rest must be told by inquiry, or by hand.
        if (!answer.failure.empty() || answer.status == 503) return;
    }
}

}  // namespace twophase::conformance
