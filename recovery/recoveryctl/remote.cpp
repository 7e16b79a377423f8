#include "recovery/recoveryctl/remote.hpp"

#include "http/text.hpp"
#include "recovery/recoveryctl/answer.hpp"
#include "recovery/recoveryctl/failure.hpp"
#include "recovery/recoveryctl/query.hpp"

#include <utility>

namespace twophase::recoveryctl {
namespace {

constexpr std::chrono::seconds answer_limit{30};
constexpr std::chrono::hours long_work_limit{12};  // verify and backup read the whole log

http::Endpoint parse_endpoint(const std::string& url) {
    auto endpoint = http::Endpoint::parse(url);
    if (!endpoint)
        throw Failure(Exit::not_possible,
                      "'" + url +
                          "' is no address of a coordinator: http://host:port, or "
                          "file:/path of its address file");
    return *std::move(endpoint);
}

std::string transaction(const std::string& gid) {
    return "/v1/transactions/" + http::percent_encode(gid);
}

}  // namespace

Remote::Remote(const std::string& url, std::string flags)
    : peer_(parse_endpoint(url)), flags_(std::move(flags)) {}

Json Remote::list(const ListFilter& filter, const std::string& before, std::size_t limit) {
    std::string query = "?limit=" + std::to_string(limit);
    add_to_query(query, "state", filter.state);
    add_to_query(query, "participant", filter.participant);
    add_to_query(query, "business_code", filter.business_code);
    add_to_query(query, "business_id", filter.business_id);
    add_to_query(query, "before", before);
    return get("/v1/transactions" + query);
}

Json Remote::show(const std::string& gid) { return get(transaction(gid)); }

Json Remote::dead_letters(const std::string& participant, const std::string& after) {
    std::string query = "?limit=500";
    add_to_query(query, "participant", participant);
    add_to_query(query, "after", after);
    return get("/v1/dead-letters" + query);
}

Json Remote::retry(const std::string& gid) {
    return post(transaction(gid) + "/retry", Json::object());
}

Json Remote::resolve(const ResolveOrder& order) {
    Json body{{"how", order.how}, {"reason", order.reason}};
    if (!order.branch_id.empty()) body["branch_id"] = order.branch_id;
    return post(transaction(order.gid) + "/resolve", body, order.who);
}

Json Remote::verify(const Progress&) { return post("/v1/verify", Json::object()); }

Json Remote::back_up(const std::string& target) { return post("/v1/backups", {{"name", target}}); }

ExportPage Remote::export_page(const std::string& after) {
    for (;;) {
        std::string target = "/v1/export?limit=" + std::to_string(export_limit_);
        add_to_query(target, "after", after);
        auto response = call({.target = target}, answer_limit);
        // A page of large transactions may be more than a client takes in one answer.
        if (response.error() == http::Errc::too_large && export_limit_ > 1) {
            export_limit_ /= 2;
            continue;
        }
        if (!response)
            throw Failure(Exit::not_possible, peer_.text() + ": " + response.error().message());
        const bool is_export =
            response->status == 200 && response->content_type == "application/x-ndjson";
        if (!is_export) refuse_answer(*response, peer_.text());
        return {std::move(response->body), std::string(response->header("X-Next"))};
    }
}

Json Remote::participants() { return get("/v1/participants"); }

Json Remote::status() { return get("/v1/status"); }

Json Remote::get(const std::string& target) {
    return read_answer(call_or_fail({.target = target}, answer_limit), peer_.text());
}

Json Remote::post(const std::string& target, const Json& body, const std::string& who) {
    http::Call call{.method = "POST", .target = target, .body = http::dump_replacing(body)};
    if (!who.empty()) call.headers.push_back({"X-Actor", who});
    return read_answer(call_or_fail(std::move(call), long_work_limit), peer_.text());
}

http::Result<http::Response> Remote::call(http::Call call, std::chrono::milliseconds timeout) {
    return http::call_once(peer_, std::move(call), timeout);
}

http::Response Remote::call_or_fail(http::Call call, std::chrono::milliseconds timeout) {
    auto response = this->call(std::move(call), timeout);
    if (response) return *std::move(response);
    std::string why = peer_.text() + ": " + response.error().message();
    if (response.error() == http::Errc::unreachable)
        why += "; is the coordinator running there? Of a stopped one give the log: --data DIR";
    throw Failure(Exit::not_possible, why);
}

}  // namespace twophase::recoveryctl
