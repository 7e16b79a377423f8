// The subcommands: what is asked of a Source, and how the answer is told.
#pragma once

#include "recovery/recoveryctl/failure.hpp"
#include "recovery/recoveryctl/source.hpp"

#include <cstddef>
#include <iosfwd>
#include <string>

namespace twophase::recoveryctl {

/// Where to tell, and how: for people, or one JSON text for programs.
struct Output {
    std::ostream& out;
    bool is_json = false;
};

struct ListOrder {
    ListFilter filter;        // an empty state: what is unfinished, or all with is_all
    std::size_t limit = 100;  // 0: no limit
    bool is_all = false;
};

/// What is unfinished, what needs a person first; or all, newest first.
Exit list(Source& source, const ListOrder& order, const Output& output);
Exit show(Source& source, const std::string& gid, const Output& output);
/// Deliveries that were given up, oldest first; `participant` empty: all. Exit::findings when any.
Exit dead_letters(Source& source, const std::string& participant, const Output& output);
/// Exit::findings when some were refused.
Exit retry(Source& source, const std::string& gid, const Output& output);
Exit retry_all(Source& source, const Output& output);
/// Shows the transaction and asks first, unless `is_sure`.
Exit resolve(Source& source, const ResolveOrder& order, bool is_sure, const Output& output);
Exit verify(Source& source, const Output& output);
Exit back_up(Source& source, const std::string& target, const Output& output);
/// NDJSON, oldest first. `to`: a file, which appears when it is whole, or "-".
Exit export_all(Source& source, const std::string& to, const Output& output);
Exit participants(Source& source, const Output& output);
Exit status(Source& source, const Output& output);

/// Makes a startable store out of a backup. Explains and asks first, unless `is_sure`.
Exit restore(const std::string& from, const std::string& to, bool is_sure, const Output& output);

}  // namespace twophase::recoveryctl
