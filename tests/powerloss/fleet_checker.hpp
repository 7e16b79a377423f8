// What the three programs promised their clients, and whether images of all three keep it.
#pragma once

#include "tests/powerloss/checker.hpp"
#include "tests/powerloss/stored_books.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

namespace twophase::powerloss {

/// An outcome that a client was told.
struct Told {
    std::string business_id;
    std::string decision;  // "commit" or "rollback"
};

/// The stores' folder holds "coordinator", "credit-participant" and "coupon-participant".
class FleetChecker : public Checker {
public:
    std::unique_ptr<Checker> copy() const override { return std::make_unique<FleetChecker>(*this); }
    void note(const std::string& text) override;
    /// Opens all three stores. Each must be sound in itself, keep what clients were told, and agree
    /// with the others on every transaction.
    Verdict check(const std::filesystem::path& root) const override;

    const std::map<std::string, Told>& told() const { return told_; }  // by gid

private:
    std::string fault_of(const LogBooks& log,
                         const BranchBooks& credit,
                         const BranchBooks& coupon) const;

    bool is_ready_ = false;    // all three answered
    bool has_books_ = false;   // open_books() was answered
    std::uint64_t epoch_ = 0;  // the coordinator's, in a loss before this one
    std::map<std::string, Told> told_;
};

// The promises, as notes.
inline constexpr const char* ready_note = "ready";
inline constexpr const char* opened_books_note = "books";
std::string told_note(const std::string& gid, const Told& told);

}  // namespace twophase::powerloss
