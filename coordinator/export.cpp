#include "coordinator/export.hpp"

#include "coordinator/protocol/gid.hpp"
#include "coordinator/record_json.hpp"
#include "http/json.hpp"
#include "http/json_text.hpp"
#include "http/raw_json.hpp"

namespace twophase::coordinator {
namespace {

using http::Json;

std::string to_hex(const std::string& bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        hex += digits[byte >> 4];
        hex += digits[byte & 15];
    }
    return hex;
}

/// As text, so that numbers stay what they are.
std::string record_text(const wal::Gid& gid, const wal::StoredRecord& record) {
    if (const auto stamped = decode(gid, record.payload)) {
        std::string text = http::without_blanks(json_of(*stamped));
        text.pop_back();
        return text + ",\"n\":" + std::to_string(record.n) + "}";
    }
    // What an earlier build wrote in JSON says something even where it isn't understood.
    Json payload = Json::parse(record.payload, nullptr, false);
    if (!payload.is_object()) payload = Json{{"unreadable", to_hex(record.payload)}};
    payload["n"] = record.n;
    return http::dump_replacing(payload);
}

}  // namespace

std::string export_line(const wal::StoredTransaction& stored) {
    std::string line;
    http::ObjectText object(line);
    if (!stored.damage.empty()) object.raw("damage", http::dump_replacing(Json(stored.damage)));
    object.raw("finished", stored.is_finished ? "true" : "false");
    object.text("gid", to_text(stored.gid));
    object.begin("records");
    line += '[';
    for (const wal::StoredRecord& record : stored.records) {
        if (&record != &stored.records.front()) line += ',';
        line += record_text(stored.gid, record);
    }
    line += ']';
    object.close();
    return line;
}

}  // namespace twophase::coordinator
