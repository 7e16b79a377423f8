#include "http/client.hpp"
#include "http/endpoint.hpp"
#include "http/errc.hpp"
#include "participants/audit_chain.hpp"
#include "recovery/recoveryctl/answer.hpp"
#include "recovery/recoveryctl/audit_source.hpp"
#include "recovery/recoveryctl/failure.hpp"
#include "recovery/recoveryctl/query.hpp"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

namespace twophase::recoveryctl {
namespace {

constexpr std::chrono::seconds answer_limit{30};

http::Endpoint parse_endpoint(const std::string& url) {
    auto endpoint = http::Endpoint::parse(url);
    if (!endpoint)
        throw Failure(Exit::not_possible,
                      "'" + url +
                          "' is no address of a participant: http://host:port, or "
                          "file:/path of its address file");
    return *std::move(endpoint);
}

class RunningAudit : public AuditSource {
public:
    explicit RunningAudit(const std::string& url) : peer_(parse_endpoint(url)) {}

    Json list(const AuditFilter& filter, const std::string& before, std::size_t limit) override {
        std::string query = "?limit=" + std::to_string(limit);
        add_to_query(query, "user_id", filter.user_id);
        add_to_query(query, "business_code", filter.business_code);
        add_to_query(query, "business_id", filter.business_id);
        add_to_query(query, "gid", filter.gid);
        add_to_query(query, "from", filter.from);
        add_to_query(query, "to", filter.to);
        add_to_query(query, "before", before);
        return read_answer(get("/v1/audit" + query), peer_.text());
    }

    ExportPage export_page(const std::string& after) override {
        std::string query = "?limit=1000";
        add_to_query(query, "after", after);
        http::Response page = get("/v1/audit/export" + query);
        if (page.status != 200 || page.content_type != "application/x-ndjson")
            refuse_answer(page, peer_.text());
        return {std::move(page.body), std::string(page.header("X-Next"))};
    }

    /// What is written meanwhile is checked too; the count is the one before the walk.
    Json verify(const Progress& progress) override {
        const Json head = read_answer(get("/v1/audit/head"), peer_.text());
        participants::AuditChain chain(
            {.count = number_in(head, "count"), .hash = text_in(head, "hash")});
        std::string after;
        do {
            const ExportPage page = export_page(after);
            std::string_view rest = page.lines;
            while (!rest.empty()) {
                const std::size_t end = std::min(rest.find('\n'), rest.size());
                chain.add(rest.substr(0, end));
                rest.remove_prefix(std::min(end + 1, rest.size()));
            }
            progress(chain.count());
            if (page.next == after) break;
            after = page.next;
        } while (!after.empty());
        Json findings = Json::array();
        if (const auto finding = chain.finish()) findings.push_back(*finding);
        return {{"entries", chain.count()},
                {"hash", findings.empty() ? chain.hash() : ""},
                {"findings", std::move(findings)}};
    }

private:
    http::Response get(const std::string& target) {
        auto response = http::call_once(peer_, {.target = target}, answer_limit);
        if (response) return *std::move(response);
        std::string why = peer_.text() + ": " + response.error().message();
        if (response.error() == http::Errc::unreachable)
            why +=
                "; is the participant running there? Of a stopped one give the store: --data DIR";
        throw Failure(Exit::not_possible, why);
    }

    http::Endpoint peer_;
};

}  // namespace

std::unique_ptr<AuditSource> running_audit(const std::string& url) {
    return std::make_unique<RunningAudit>(url);
}

}  // namespace twophase::recoveryctl
