// What a person does when a log, or a participant's store, was lost, copied, restored or moved.
#pragma once

#include "recovery/recoveryctl/commands.hpp"

#include <string>
#include <vector>

namespace twophase::recoveryctl {

/// A person's word, and to whom: the URL of a running coordinator or participant.
struct LogOrder {
    std::string url;
    std::string reason;
    std::string who;
};

/// Which log it is, whether it may be believed, who was not heard yet.
Exit show_log(const std::string& url, const Output& output);
/// Opens a log that waits for acceptance, or was moved; `left_out`: participants not waited for.
Exit accept_log(const LogOrder& order,
                const std::vector<std::string>& left_out,
                const Output& output);
/// Lists lost transactions with what proves their outcome; Exit::findings when there are any.
Exit list_lost(const std::string& url, const Output& output);
/// Settles those that are proven.
Exit settle_proven(const LogOrder& order, const Output& output);
/// Takes a participant's store as it is now.
Exit accept_store(const LogOrder& order, const std::string& participant, const Output& output);
/// At a participant: forgets which log the coordinator works on.
Exit forget_log(const LogOrder& order, const std::string& coordinator, const Output& output);

/// On stopped stores.
struct SuccessionOrder {
    std::string data;
    std::vector<std::string> of;  // identities, 32 hexadecimal digits each
    std::string reason;
    std::string who;
};
/// Makes a new log the successor of lost ones. Explains and asks first, unless `is_sure`.
Exit succeed(const SuccessionOrder& order, bool is_sure, const Output& output);
/// Moves a store: copies it and marks the old one as moved for good. Asks first, unless `is_sure`.
Exit hand_over(const std::string& from, const std::string& to, bool is_sure, const Output& output);

}  // namespace twophase::recoveryctl
