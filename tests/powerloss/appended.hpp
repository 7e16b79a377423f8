// What the appender writes, job by job: known beforehand, so that a checker can tell what is there.
#pragma once

#include "wal/log.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace twophase::powerloss {

/// Job `number` starts and decides transaction `number` and finishes the one this many before it.
inline constexpr std::uint64_t unfinished_jobs = 30;

wal::LogOptions appender_options(const std::filesystem::path& store, std::size_t map_bytes);

wal::Gid gid_of(std::uint64_t number);
std::uint64_t number_of(const wal::Gid& gid);
/// The payload of a transaction's record n: most are short, some longer than a page.
std::string payload_of(std::uint64_t number, std::uint32_t n);
std::vector<wal::Entry> job_of(std::uint64_t number);

/// Runs what a store posts at once, on the writer's thread.
wal::Post at_once();

// The appender's promises, as notes: one word and a number.
inline constexpr const char* opened_note = "opened";        // in this epoch
inline constexpr const char* durable_note = "durable";      // this job
inline constexpr const char* forgotten_note = "forgotten";  // so many more transactions
std::string note_of(const char* word, std::uint64_t number);

}  // namespace twophase::powerloss
