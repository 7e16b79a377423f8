#include "http/router.hpp"
#include "participants/audit.hpp"
#include "participants/audit_routes.hpp"
#include "recovery/page_thread.hpp"
#include "recovery/recoveryctl/answer.hpp"
#include "recovery/recoveryctl/audit_source.hpp"
#include "recovery/recoveryctl/failure.hpp"
#include "wal/store.hpp"

#include <cerrno>
#include <functional>
#include <utility>

namespace twophase::recoveryctl {
namespace {

[[noreturn]] void fail(const std::string& directory, const wal::StoreError& error) {
    if (error.code() == EBUSY)
        throw Failure(Exit::not_possible,
                      std::string(error.what()) +
                          "; it is running: ask it with --participant-url URL, or stop it first");
    if (error.code() == ENOENT)
        throw Failure(Exit::not_possible, "there is no store in " + directory);
    throw Failure(Exit::unreadable, error.what());
}

/// As its own program would open it.
std::unique_ptr<wal::Store> open(const std::string& directory, bool any_filesystem) {
    try {
        const wal::StoreIdentity identity = wal::inspect(directory);
        if (identity.kind == "coordinator")
            throw Failure(Exit::not_possible,
                          directory + " is the store of a coordinator, not of a participant");
        wal::StoreOptions options;
        options.directory = directory;
        options.kind = identity.kind;
        options.id = identity.id;
        options.node = identity.node;
        options.tables = participants::Audit::tables();
        options.any_filesystem = any_filesystem;
        return std::make_unique<wal::Store>(std::move(options), [](const auto&) {});
    } catch (const wal::StoreError& e) {
        fail(directory, e);
    }
}

class StoppedAudit : public AuditSource {
public:
    StoppedAudit(std::string directory, bool any_filesystem)
        : directory_(std::move(directory)),
          store_(open(directory_, any_filesystem)),
          audit_([this](std::string_view name) { return store_->table(name); }) {
        participants::add_audit_routes(router_, audit_, *store_, pages_);
    }

    Json list(const AuditFilter& filter, const std::string& before, std::size_t limit) override {
        http::Request request{.method = "GET", .path = "/v1/audit"};
        request.query["limit"] = std::to_string(limit);
        const auto add = [&](const char* name, const std::string& value) {
            if (!value.empty()) request.query[name] = value;
        };
        add("user_id", filter.user_id);
        add("business_code", filter.business_code);
        add("business_id", filter.business_id);
        add("gid", filter.gid);
        add("from", filter.from);
        add("to", filter.to);
        add("before", before);
        return read_answer(ask(std::move(request)), directory_);
    }

    ExportPage export_page(const std::string& after) override {
        http::Request request{.method = "GET", .path = "/v1/audit/export"};
        if (!after.empty()) request.query["after"] = after;
        http::Response page = ask(std::move(request));
        if (page.status != 200) refuse_answer(page, directory_);
        return {std::move(page.body), std::string(page.header("X-Next"))};
    }

    Json verify(const Progress& progress) override {
        const wal::Snapshot now = store_->snapshot();
        Json findings = Json::array();
        if (const auto finding = audit_.verify(now, progress)) findings.push_back(*finding);
        return {{"entries", now.count(store_->table("audit"))},
                {"hash", findings.empty() ? audit_.head(now).hash : ""},
                {"findings", std::move(findings)}};
    }

private:
    /// The participant's own routes, which answer at once.
    http::Response ask(http::Request request) {
        http::Response answer;
        router_(std::move(request), [&](http::Response response) { answer = std::move(response); });
        return answer;
    }

    std::string directory_;
    std::unique_ptr<wal::Store> store_;
    participants::Audit audit_;
    recovery::PageThread pages_;  // none: nobody else is served
    http::Router router_;
};

}  // namespace

std::unique_ptr<AuditSource> stopped_audit(const std::string& directory, bool any_filesystem) {
    return std::make_unique<StoppedAudit>(directory, any_filesystem);
}

}  // namespace twophase::recoveryctl
