// What a log promised the appender, and whether an image keeps it.
#pragma once

#include "tests/powerloss/checker.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace twophase::powerloss {

/// The stores' folder holds one store, "log".
class LogChecker : public Checker {
public:
    std::unique_ptr<Checker> copy() const override { return std::make_unique<LogChecker>(*this); }
    void note(const std::string& text) override;
    /// Opens the store as its program would, barrier included. It must hold the work of the first
    /// n jobs, n as promised or greater, wholly and nothing else, less what is forgotten.
    Verdict check(const std::filesystem::path& root) const override;

private:
    std::uint64_t epoch_ = 0;      // the highest that was opened
    std::uint64_t jobs_ = 0;       // durable
    std::uint64_t forgotten_ = 0;  // transactions
};

}  // namespace twophase::powerloss
