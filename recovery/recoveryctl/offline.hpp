// A stopped coordinator's log, read and changed by the rules of the running one.
#pragma once

#include "coordinator/config.hpp"
#include "coordinator/protocol/protocol.hpp"
#include "coordinator/service.hpp"
#include "recovery/machine.hpp"
#include "recovery/recoveryctl/source.hpp"

#include <boost/asio/io_context.hpp>

#include <filesystem>

namespace twophase::recoveryctl {

/// Owns the store while it lives: takes its lock and commits the barrier before it reads, as a
/// start does. Nothing is sent to anybody.
class Offline : public Source {
public:
    /// `any_filesystem`: for tests. Failure when the store runs, is missing or can't be read.
    Offline(const std::filesystem::path& directory, bool any_filesystem);
    ~Offline() override;

    Json list(const ListFilter& filter, const std::string& before, std::size_t limit) override;
    Json show(const std::string& gid) override;
    Json dead_letters(const std::string& participant, const std::string& after) override;
    Json retry(const std::string& gid) override;
    /// The next start delivers it.
    Json resolve(const ResolveOrder& order) override;
    /// Checks what the log's own check does, and that every transaction's records can be followed.
    Json verify(const Progress& progress) override;
    Json back_up(const std::string& target) override;
    ExportPage export_page(const std::string& after) override;
    Json participants() override;
    Json status() override;
    std::string flags() const override;

private:
    Json settle_unknown(const ResolveOrder& order);
    coordinator::ResolveAsked asked_by(const ResolveOrder& order) const;
    void append(const coordinator::Effects& effects);
    /// Runs the loop until `is_done`: what the log's writer reports comes there.
    void run_until(const bool& is_done);

    coordinator::Config config_;
    boost::asio::io_context io_{1};
    recovery::Machine machine_;
    coordinator::Service service_;
    /// As folded: what is undecided is still open here, which a start, and so service_, rolls back.
    coordinator::Protocol folded_;
};

}  // namespace twophase::recoveryctl
