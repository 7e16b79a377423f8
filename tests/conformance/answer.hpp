// What a participant answered, read into plain data.
#pragma once

#include "http/errc.hpp"
#include "http/message.hpp"
#include "tests/conformance/messages.hpp"

#include <string>
#include <vector>

namespace twophase::conformance {

struct Answer {
    std::string sent;     // method, target and body, for the report
    Branch about;         // the branch that was asked about
    std::string failure;  // why no answer came; empty when one did
    unsigned status = 0;  // of an item of an array: its own
    std::string content_type;
    std::string body;   // as it came
    std::string whole;  // the body in canonical form; of an item, without its status

    // Members of the body, where it is an object that has them as texts.
    bool is_object = false;
    std::string gid;
    std::string branch_id;
    std::string vote;
    std::string state;
    std::string prepare_id;
    std::string code;
    std::string message;
    std::string next;
    bool has_written_nothing = false;  // "written": false
    bool has_own_status = false;       // an item of an array that says its status

    // The body as an array, or its member "items".
    bool has_items = false;
    std::vector<Answer> items;
};

/// Reads with the limits that our coordinator has.
Answer read_answer(const Request& request, const http::Result<http::Response>& response);

/// "200 {...}", or why there is none: for people, with control bytes escaped.
std::string came(const Answer& answer);
/// "POST /prepare {...}", shortened.
std::string sent(const Request& request);

}  // namespace twophase::conformance
