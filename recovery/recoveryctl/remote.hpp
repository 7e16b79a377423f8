// A running coordinator, asked over HTTP.
#pragma once

#include "http/client.hpp"
#include "http/endpoint.hpp"
#include "recovery/recoveryctl/source.hpp"

#include <chrono>

namespace twophase::recoveryctl {

class Remote : public Source {
public:
    /// `url`: http://host:port, or file:/path for an address file. Failure when it is neither.
    Remote(const std::string& url, std::string flags);

    Json list(const ListFilter& filter, const std::string& before, std::size_t limit) override;
    Json show(const std::string& gid) override;
    Json dead_letters(const std::string& participant, const std::string& after) override;
    Json retry(const std::string& gid) override;
    Json resolve(const ResolveOrder& order) override;
    Json verify(const Progress& progress) override;
    Json back_up(const std::string& target) override;
    ExportPage export_page(const std::string& after) override;
    Json participants() override;
    Json status() override;
    std::string flags() const override { return flags_; }

private:
    Json get(const std::string& target);
    Json post(const std::string& target, const Json& body, const std::string& who = {});
    http::Result<http::Response> call(http::Call call, std::chrono::milliseconds timeout);
    http::Response call_or_fail(http::Call call, std::chrono::milliseconds timeout);

    http::Endpoint peer_;
    std::string flags_;
    std::size_t export_limit_ = 200;
};

}  // namespace twophase::recoveryctl
